/** A JavaScript expression for a plain value: what a captured value becomes in a bundle. Throws for what is not plain data. */
export function literalOf(value: unknown): string {
  if (value === null) return "null";
  switch (typeof value) {
    case "undefined":
      return "undefined";
    case "string":
      return JSON.stringify(value).replace(
        /[\u2028\u2029]/g,
        (c) => `\\u${c.charCodeAt(0).toString(16)}`,
      );
    case "boolean":
      return String(value);
    case "number":
      return Object.is(value, -0) ? "-0" : String(value);
    case "bigint":
      return `${value}n`;
    case "object":
      return literalOfObject(value);
    default:
      throw new TypeError(`A ${typeof value} is not plain data.`);
  }
}

function literalOfObject(value: object): string {
  if (Array.isArray(value)) return `[${value.map(literalOf).join(", ")}]`;
  if (value instanceof Date) return `new Date(${literalOf(value.getTime())})`;
  if (value instanceof Map)
    return `new Map([${[...value].map((entry) => literalOf(entry)).join(", ")}])`;
  if (value instanceof Set) return `new Set([${[...value].map(literalOf).join(", ")}])`;
  if (value instanceof Uint8Array) return `new Uint8Array([${value.join(",")}])`;
  const entries = Object.entries(value).map(
    ([key, item]) => `${JSON.stringify(key)}: ${literalOf(item)}`,
  );
  return `{ ${entries.map((entry) => entry.replace(/^"__proto__"/, '["__proto__"]')).join(", ")} }`;
}
