/** A value in a message: short, on one line, and never running code of the value's own. */
export function shown(value: unknown): string {
  switch (typeof value) {
    case "string":
      return clipped(JSON.stringify(value));
    case "number":
    case "boolean":
    case "undefined":
      return String(value);
    case "bigint":
      return clipped(`${value}n`);
    case "function":
      return "a function";
    case "symbol":
      return "a symbol";
    default:
      try {
        return shownObject(value as object | null);
      } catch {
        // A proxy whose traps throw, or a revoked one.
        return "an object";
      }
  }
}

function shownObject(value: object | null): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  if (value instanceof Date) return "a Date";
  if (value instanceof Promise) return "a Promise";
  if (value instanceof Map) return "a Map";
  if (value instanceof Set) return "a Set";
  return "an object";
}

function clipped(text: string): string {
  return text.length <= 80 ? text : `${text.slice(0, 79)}…`;
}
