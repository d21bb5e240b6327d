/* oxlint-disable typescript/unbound-method -- intrinsics are taken before user code runs, and called with their `this` */
import { cutNodeWorker, nodeWorkerExports } from "./node-worker.ts";

/**
 * Takes away what user code must not have, then freezes what is left. Runs last in a guest's bootstrap, after everything the
 * guest itself needs was captured. Names not listed here do not exist for user code.
 */
const languageNames =
  `Object Function Array Number parseFloat parseInt Infinity NaN undefined Boolean String Symbol Date Promise
  RegExp Error AggregateError EvalError RangeError ReferenceError SyntaxError TypeError URIError SuppressedError globalThis JSON Math
  Intl ArrayBuffer Uint8Array Int8Array Uint16Array Int16Array Uint32Array Int32Array BigUint64Array BigInt64Array
  Uint8ClampedArray Float16Array Float32Array Float64Array DataView Map BigInt Set Iterator WeakMap WeakSet Proxy Reflect decodeURI
  decodeURIComponent encodeURI encodeURIComponent escape unescape eval isFinite isNaN Temporal DisposableStack
  AsyncDisposableStack console TextEncoder TextDecoder URL URLSearchParams structuredClone atob btoa`.split(
    /\s+/,
  );

export type Clock = {
  /** Called where user code asks for the time; may throw, or answer with milliseconds. */
  now(): number;
  /** Called where user code asks for a random number. */
  random(): number;
};

export type Lockdown = {
  keep: readonly string[];
  add: Readonly<Record<string, unknown>>;
  clock: Clock;
};

export function lockDown({ keep, add, clock }: Lockdown): void {
  cutNodeWorker();
  const global = globalThis as unknown as Record<PropertyKey, unknown>;
  const allowed = new Set<PropertyKey>([...languageNames, ...keep]);
  // Away from the global object, but an imported WebAssembly module brings them back.
  const reachedAnyway = [
    global["WebAssembly"],
    global["SharedArrayBuffer"],
    ...nodeWorkerExports(),
  ];
  for (const key of Reflect.ownKeys(global)) {
    // Symbols here are Deno's marks of an event target, without which it cannot report an unhandled rejection.
    if (allowed.has(key) || typeof key === "symbol") continue;
    if (!Reflect.deleteProperty(global, key)) throw new Error(`The guest cannot take ${key} away.`);
  }
  for (const [name, value] of Object.entries(add)) define(global, name, value);
  for (const [name, what] of Object.entries(refused)) {
    if (!Object.hasOwn(global, name)) define(global, name, refuser(name, what));
  }
  replaceClock(global, clock);
  dropLegacyRegExpState();
  enableOverrides();
  freezeReachable(global, reachedAnyway);
}

const network =
  "A notebook has no network. Bring data in as a source and freeze it into a snapshot.";
const refused: Record<string, string> = {
  fetch: network,
  WebSocket: network,
  EventSource: network,
  XMLHttpRequest: network,
  Worker: "A notebook has no threads of its own. Transforms run side by side already.",
  require: "A notebook has no require(). Use an import of a file or package of the workspace.",
};

function refuser(name: string, what: string): unknown {
  // A function expression, so that `new` and a plain call both get the instruction.
  return function () {
    throw new TypeError(`${name}: ${what}`);
  };
}

function define(target: object, name: PropertyKey, value: unknown): void {
  Object.defineProperty(target, name, {
    value,
    writable: false,
    enumerable: false,
    configurable: false,
  });
}

function replaceClock(global: Record<PropertyKey, unknown>, clock: Clock): void {
  const RealDate = Date;
  const toText = RealDate.prototype.toString;
  const construct = Reflect.construct;
  const GuardedDate = function (this: unknown, ...args: unknown[]): unknown {
    if (new.target === undefined) return toText.call(new RealDate(clock.now()));
    return construct(RealDate, args.length === 0 ? [clock.now()] : args, new.target);
  };
  for (const key of ["parse", "UTC"] as const) define(GuardedDate, key, RealDate[key]);
  define(GuardedDate, "now", () => clock.now());
  define(GuardedDate, "name", "Date");
  define(GuardedDate, "length", 7);
  Object.defineProperty(GuardedDate, "prototype", { value: RealDate.prototype, writable: false });
  Object.defineProperty(RealDate.prototype, "constructor", { value: GuardedDate });
  Object.defineProperty(global, "Date", { value: GuardedDate, enumerable: false });
  Object.defineProperty(Math, "random", { value: () => clock.random() });
  const temporal = global["Temporal"];
  if (temporal !== null && typeof temporal === "object") Reflect.deleteProperty(temporal, "Now");
  guardDateFormats(clock);
}

/** `format()` without a date means now. */
function guardDateFormats(clock: Clock): void {
  const prototype = Intl.DateTimeFormat.prototype;
  const realFormat = Object.getOwnPropertyDescriptor(prototype, "format")?.get;
  const realParts = prototype.formatToParts;
  if (!realFormat) throw new Error("Intl.DateTimeFormat is not as expected.");
  Object.defineProperty(prototype, "format", {
    get(this: Intl.DateTimeFormat) {
      const format = realFormat.call(this) as (date: unknown) => string;
      return (date?: unknown) => format(date === undefined ? clock.now() : date);
    },
    configurable: true,
  });
  Object.defineProperty(prototype, "formatToParts", {
    value(this: Intl.DateTimeFormat, date?: Date) {
      return realParts.call(this, date === undefined ? clock.now() : date);
    },
    configurable: true,
  });
}

/** `RegExp.$1` and its like remember the last match: state between records. */
function dropLegacyRegExpState(): void {
  for (const key of Object.getOwnPropertyNames(RegExp)) {
    const { get } = Object.getOwnPropertyDescriptor(RegExp, key) ?? {};
    if (get !== undefined) Reflect.deleteProperty(RegExp, key);
  }
}

/**
 * Freezing a prototype would also forbid `this.name = "MyError"` on objects that inherit from it. For the properties
 * people do set so, an accessor lets the assignment make an own property, as it would without freezing.
 */
function enableOverrides(): void {
  const errors = [
    Error,
    AggregateError,
    EvalError,
    RangeError,
    ReferenceError,
    SyntaxError,
    TypeError,
    URIError,
  ];
  const cases: [object, string[]][] = [
    [Object.prototype, ["toString", "toLocaleString", "valueOf", "constructor"]],
    [Function.prototype, ["toString", "bind", "call", "apply"]],
    ...errors.map((type): [object, string[]] => [
      type.prototype,
      ["name", "message", "toString", "constructor"],
    ]),
    [Date.prototype, ["toString", "toJSON", "valueOf"]],
  ];
  for (const [prototype, names] of cases) for (const name of names) enableOverride(prototype, name);
}

function enableOverride(prototype: object, name: string): void {
  const found = Object.getOwnPropertyDescriptor(prototype, name);
  if (!found || !("value" in found)) return;
  const { value } = found as { value: unknown };
  Object.defineProperty(prototype, name, {
    get: () => value,
    set(this: object, next: unknown) {
      if (this === prototype)
        throw new TypeError(`${name} of a built-in is frozen: it is shared by all cells.`);
      Object.defineProperty(this, name, {
        value: next,
        writable: true,
        enumerable: true,
        configurable: true,
      });
    },
    enumerable: false,
    configurable: false,
  });
}

/** Freezes every object that can be reached from the global object, the hidden prototypes included. */
function freezeReachable(global: object, others: readonly unknown[]): void {
  const seen = new Set<object>();
  const hidden = [
    async function () {},
    function* () {},
    async function* () {},
    (function* () {})(),
    (async function* () {})(),
    [][Symbol.iterator](),
    new Map().entries(),
    new Set().entries(),
    ""[Symbol.iterator](),
    "".matchAll(/a/g),
    Iterator.from({ next: () => ({ done: true, value: undefined }) }),
    [].values().map((item) => item),
    new Intl.Segmenter().segment("a"),
  ];
  const todo: unknown[] = [global, ...others, ...hidden];
  while (todo.length > 0) {
    const value = todo.pop();
    if (
      value === null ||
      (typeof value !== "object" && typeof value !== "function") ||
      seen.has(value)
    )
      continue;
    seen.add(value);
    todo.push(Object.getPrototypeOf(value));
    for (const key of Reflect.ownKeys(value)) {
      const property = Object.getOwnPropertyDescriptor(value, key);
      if (property) todo.push(property.value, property.get, property.set);
    }
  }
  for (const value of seen) freeze(value);
}

/** What every array inherits from. */
const arrayRoots = new Set<object>([Array.prototype, Object.prototype]);

/**
 * `Object.freeze` of what arrays inherit from also freezes its (empty) elements, and V8 then looks up the prototypes at every hole and
 * every growing store of every array: some 150 ns each. Property by property it comes to the same frozen object without that.
 */
function freeze(value: object): void {
  if (!arrayRoots.has(value)) {
    Object.freeze(value);
    return;
  }
  Object.preventExtensions(value);
  for (const key of Reflect.ownKeys(value)) {
    const property = Object.getOwnPropertyDescriptor(value, key);
    const fixed = property && "value" in property ? { writable: false } : {};
    Object.defineProperty(value, key, { configurable: false, ...fixed });
  }
  if (!Object.isFrozen(value)) throw new Error("The guest cannot freeze what arrays inherit from.");
}
