/* oxlint-disable typescript/unbound-method -- intrinsics are taken before user code runs, and called with their `this` */
/**
 * Plain values as JSON, without loss: Dates, Maps, Sets, bigints, typed arrays, NaN, undefined, shared and cyclic references.
 * What is not plain (functions, instances, getters, symbols) makes a value a recipe: it is computed again when needed.
 * Texts, booleans, null and ordinary numbers stand for themselves; everything else is an object of one key, its tag.
 */
export type Encoded = string | number | boolean | null | { [tag: string]: unknown };

const mostNodes = 2_000_000;
const deepest = 400;
const views: Record<string, new (buffer: ArrayBuffer) => ArrayBufferView> = {
  Uint8Array,
  Int8Array,
  Uint8ClampedArray,
  Uint16Array,
  Int16Array,
  Uint32Array,
  Int32Array,
  BigUint64Array,
  BigInt64Array,
  Float32Array,
  Float64Array,
};
const viewTag = Object.getOwnPropertyDescriptor(
  Object.getPrototypeOf(Uint8Array.prototype),
  Symbol.toStringTag,
)?.get;
const RealDate = Date;
const getTime = Date.prototype.getTime;

/** The value as JSON, or undefined when it is not plain or too large to keep. */
export function encodeStructured(value: unknown): Encoded | undefined {
  const seen = new Map<object, number>();
  let nodes = 0;
  try {
    return encode(value, 0);
  } catch (error) {
    if (error === notPlain || error instanceof RangeError) return undefined;
    throw error;
  }

  function encode(one: unknown, depth: number): Encoded {
    nodes += typeof one === "string" ? 1 + (one.length >> 4) : 1;
    if (nodes > mostNodes || depth > deepest) throw notPlain;
    switch (typeof one) {
      case "string":
      case "boolean":
        return one;
      case "number":
        return Number.isFinite(one) && !Object.is(one, -0)
          ? one
          : { n: Object.is(one, -0) ? "-0" : String(one) };
      case "bigint":
        return { i: one.toString() };
      case "undefined":
        return { u: 1 };
      case "object":
        return one === null ? null : encodeObject(one, depth);
      default:
        throw notPlain;
    }
  }

  function encodeObject(one: object, depth: number): Encoded {
    const known = seen.get(one);
    if (known !== undefined) return { r: known };
    seen.set(one, seen.size);
    const prototype: unknown = Object.getPrototypeOf(one);
    const all = (items: Iterable<unknown>): Encoded[] =>
      Array.from(items, (item) => encode(item, depth + 1));
    if (Array.isArray(one)) {
      if (prototype !== Array.prototype || Object.keys(one).length > one.length) throw notPlain;
      return { a: all(one) };
    }
    if (prototype === RealDate.prototype) return { d: encode(getTime.call(one as Date), depth) };
    if (prototype === Map.prototype) {
      return {
        m: Array.from(one as Map<unknown, unknown>, ([key, item]) => [
          encode(key, depth + 1),
          encode(item, depth + 1),
        ]),
      };
    }
    if (prototype === Set.prototype) return { s: all(one as Set<unknown>) };
    if (prototype === ArrayBuffer.prototype)
      return { b: ["ArrayBuffer", base64(new Uint8Array(one as ArrayBuffer))] };
    const view = viewTag?.call(one) as string | undefined;
    if (view !== undefined && views[view] && prototype === views[view].prototype) {
      const { buffer, byteOffset, byteLength } = one as Uint8Array;
      nodes += byteLength >> 3;
      if (nodes > mostNodes) throw notPlain;
      return { b: [view, base64(new Uint8Array(buffer, byteOffset, byteLength))] };
    }
    if (prototype !== Object.prototype && prototype !== null) throw notPlain;
    const fields = Reflect.ownKeys(one).map((key) => {
      const property = Object.getOwnPropertyDescriptor(one, key);
      if (typeof key === "symbol" || !property?.enumerable || !("value" in property))
        throw notPlain;
      return [key, encode(property.value, depth + 1)];
    });
    return prototype === null ? { z: fields } : { o: fields };
  }
}

const notPlain = new Error("not plain");

/** The inverse of `encodeStructured`. Throws for what it did not make. */
export function decodeStructured(encoded: unknown): unknown {
  const made: unknown[] = [];
  return decode(encoded);

  function decode(one: unknown): unknown {
    if (one === null || typeof one !== "object") return one;
    const [[tag, body] = ["", undefined]] = Object.entries(one);
    switch (tag) {
      case "n":
        return Number(body);
      case "i":
        return BigInt(body as string);
      case "u":
        return undefined;
      case "r":
        return made[body as number];
      case "d": {
        const at = made.push(undefined) - 1;
        return (made[at] = new RealDate(Number(decode(body))));
      }
      case "b":
        return keep(decodeBytes(body as [string, string]));
      case "a": {
        const array: unknown[] = keep([]);
        for (const item of body as unknown[]) array.push(decode(item));
        return array;
      }
      case "s": {
        const set = keep(new Set<unknown>());
        for (const item of body as unknown[]) set.add(decode(item));
        return set;
      }
      case "m": {
        const map = keep(new Map<unknown, unknown>());
        for (const [key, item] of body as [unknown, unknown][]) map.set(decode(key), decode(item));
        return map;
      }
      case "o":
      case "z": {
        const object = keep((tag === "o" ? {} : Object.create(null)) as object);
        for (const [key, item] of body as [string, unknown][]) {
          Object.defineProperty(object, key, {
            value: decode(item),
            writable: true,
            enumerable: true,
            configurable: true,
          });
        }
        return object;
      }
      default:
        throw new TypeError("This is not an encoded value.");
    }
  }

  function keep<T>(value: T): T {
    made.push(value);
    return value;
  }
}

function decodeBytes([name, text]: [string, string]): unknown {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i += 1) bytes[i] = binary.charCodeAt(i);
  if (name === "ArrayBuffer") return bytes.buffer;
  const View = views[name];
  if (!View) throw new TypeError("This is not an encoded value.");
  return new View(bytes.buffer);
}

function base64(bytes: Uint8Array): string {
  const pieces: string[] = [];
  for (let at = 0; at < bytes.length; at += 8190)
    pieces.push(String.fromCharCode(...bytes.subarray(at, at + 8190)));
  return btoa(pieces.join(""));
}
