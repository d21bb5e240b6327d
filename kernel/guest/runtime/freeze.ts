/** Freezes data all the way down, Dates, Maps and Sets included, so that no record can leave something for the next. */
export function deepFreeze<T>(value: T): T {
  if (value === null || typeof value !== "object" || Object.isFrozen(value)) return value;
  if (ArrayBuffer.isView(value)) return value;
  if (value instanceof Map) for (const entry of value) entry.forEach(deepFreeze);
  if (value instanceof Set) for (const item of value) deepFreeze(item);
  for (const method of mutators(value)) {
    Object.defineProperty(value, method, { value: refuse, enumerable: false });
  }
  Object.freeze(value);
  for (const item of Object.values(value)) deepFreeze(item);
  return value;
}

function refuse(): never {
  throw new TypeError(
    "This value is shared by all records and frozen. Make a copy and change that.",
  );
}

const setters = Object.getOwnPropertyNames(Date.prototype).filter((name) => name.startsWith("set"));

function mutators(value: object): string[] {
  if (value instanceof Date) return setters;
  if (value instanceof Map) return ["set", "delete", "clear"];
  if (value instanceof Set) return ["add", "delete", "clear"];
  return [];
}
