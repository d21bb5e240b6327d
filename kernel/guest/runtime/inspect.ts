/* oxlint-disable typescript/unbound-method -- intrinsics are taken before user code runs, and called with their `this` */
const budget = 20_000;
const longestText = 2_000;
const mostItems = 100;
const deepest = 4;
const widest = 76;
const RealDate = Date;
const getTime = Date.prototype.getTime;
const toIso = Date.prototype.toISOString;

/**
 * A value as a person reads it. Bounded whatever the value; runs no getter but an error's stack; survives proxies, cycles and
 * hostile prototypes.
 */
export function inspect(value: unknown): string {
  const left = { characters: budget };
  const text = show(value, 0, new Set(), left);
  return left.characters > 0 ? text : `${text.slice(0, budget)}…`;
}

type Left = { characters: number };

function show(value: unknown, depth: number, above: Set<object>, left: Left): string {
  const text = showOne(value, depth, above, left);
  left.characters -= text.length;
  return text;
}

function showOne(value: unknown, depth: number, above: Set<object>, left: Left): string {
  switch (typeof value) {
    case "string":
      return depth === 0 ? clipped(value, budget) : JSON.stringify(clipped(value, longestText));
    case "number":
      return Object.is(value, -0) ? "-0" : String(value);
    case "bigint":
      return clipped(`${value}n`, longestText);
    case "symbol":
      return String(value);
    case "function":
      return `ƒ ${nameOf(value) || "(anonymous)"}`;
    case "object":
      if (value === null) return "null";
      if (above.has(value)) return "[Circular]";
      if (left.characters <= 0) return "…";
      try {
        return showObject(value, depth, new Set([...above, value]), left);
      } catch {
        return "[cannot be shown]";
      }
    default:
      return String(value);
  }
}

function showObject(value: object, depth: number, above: Set<object>, left: Left): string {
  if (value instanceof Error) return showError(value);
  if (value instanceof RealDate) {
    const time = getTime.call(value);
    return Number.isNaN(time) ? "Invalid Date" : toIso.call(value);
  }
  if (value instanceof RegExp) return RegExp.prototype.toString.call(value);
  if (value instanceof Promise) return "Promise { … }";
  const name = className(value);
  if (depth >= deepest)
    return Array.isArray(value) ? `[Array(${value.length})]` : `[${name || "Object"}]`;
  const next = (item: unknown): string => show(item, depth + 1, above, left);
  if (Array.isArray(value))
    return wrap(
      "",
      "[",
      limited(indexes(value.length), value.length, (i) => propertyText(value, String(i), next)),
      "]",
      depth,
    );
  if (ArrayBuffer.isView(value) && "length" in value) {
    const numbers = value as unknown as ArrayLike<number | bigint>;
    return wrap(
      `${name}(${numbers.length}) `,
      "[",
      limited(indexes(numbers.length), numbers.length, (i) => String(numbers[i])),
      "]",
      depth,
    );
  }
  if (value instanceof Map) {
    const items = limited(
      value,
      value.size,
      ([key, item]: [unknown, unknown]) => `${next(key)} => ${next(item)}`,
    );
    return wrap(`Map(${value.size}) `, "{", items, "}", depth);
  }
  if (value instanceof Set)
    return wrap(`Set(${value.size}) `, "{", limited(value, value.size, next), "}", depth);
  const keys = Reflect.ownKeys(value).filter(
    (key) => Object.getOwnPropertyDescriptor(value, key)?.enumerable,
  );
  const fields = limited(keys, keys.length, (key) => {
    const label =
      typeof key === "string" && /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(key)
        ? key
        : typeof key === "symbol"
          ? `[${String(key)}]`
          : JSON.stringify(key);
    return `${clipped(label, 200)}: ${propertyText(value, key, next)}`;
  });
  return wrap(name === "Object" || name === "" ? "" : `${name} `, "{", fields, "}", depth);
}

function propertyText(owner: object, key: PropertyKey, next: (value: unknown) => string): string {
  const property = Object.getOwnPropertyDescriptor(owner, key);
  if (!property) return "empty";
  if ("value" in property) return next(property.value);
  return property.get ? "[Getter]" : "[Setter]";
}

function* indexes(length: number): Iterable<number> {
  for (let i = 0; i < length; i += 1) yield i;
}

function limited<T>(items: Iterable<T>, size: number, show: (item: T) => string): string[] {
  const texts: string[] = [];
  for (const item of items) {
    if (texts.length === mostItems) {
      texts.push(`… ${size - mostItems} more`);
      break;
    }
    texts.push(show(item));
  }
  return texts;
}

function wrap(before: string, open: string, items: string[], close: string, depth: number): string {
  if (items.length === 0) return `${before}${open}${close}`;
  const line = items.join(", ");
  const padding = open === "{" ? " " : "";
  if (line.length <= widest && !line.includes("\n"))
    return `${before}${open}${padding}${line}${padding}${close}`;
  const indent = "  ".repeat(depth + 1);
  return `${before}${open}\n${items.map((item) => indent + item).join(",\n")}\n${"  ".repeat(depth)}${close}`;
}

function showError(error: Error): string {
  const { stack } = error;
  return clipped(
    typeof stack === "string" && stack !== "" ? stack : `${error.name}: ${error.message}`,
    longestText,
  );
}

function className(value: object): string {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype) return "Object";
  if (prototype === null) return "[null prototype]";
  if (typeof prototype !== "object") return "";
  const maker: unknown = Object.getOwnPropertyDescriptor(prototype, "constructor")?.value;
  return typeof maker === "function" ? nameOf(maker) : "";
}

// eslint-disable-next-line typescript/no-unsafe-function-type -- whatever can be called
function nameOf(maker: Function): string {
  const name = Object.getOwnPropertyDescriptor(maker, "name")?.value as unknown;
  return typeof name === "string" ? clipped(name, 100) : "";
}

function clipped(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`;
}
