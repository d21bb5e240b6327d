import type { ValueSummary } from "../interactive-protocol.ts";
import { isLookup, isTable, type Table } from "./descriptors.ts";
import { expressionOf, type TableExpression } from "./expressions.ts";
import { deepFreeze } from "./freeze.ts";
import { inspect } from "./inspect.ts";
import { isMetric } from "./metric-descriptors.ts";
import { decodeStructured, encodeStructured } from "./structured.ts";

/** What cells defined, by name. */
export function cellValues() {
  const held = new Map<string, unknown>();
  const names = new WeakMap<Table, string>();
  const handles = new WeakMap<Table, string>();
  let nextHandle = 1;

  function expression(table: Table): TableExpression {
    return expressionOf(table, (one) => names.get(one));
  }

  function handle(table: Table): string {
    let known = handles.get(table);
    if (known === undefined) {
      known = `t${nextHandle}`;
      nextHandle += 1;
      handles.set(table, known);
    }
    return known;
  }

  function summary(value: unknown): ValueSummary {
    if (isTable(value))
      return { kind: "table", expression: expression(value), handle: handle(value) };
    if (isMetric(value)) return { kind: "metric", name: value.name, text: `metric ${value.name}` };
    if (isLookup(value)) return { kind: "other", text: `lookup by ${value.by.join(", ")}` };
    if (typeof value === "function") return { kind: "function", text: inspect(value) };
    const encoded = encodeStructured(value);
    return encoded === undefined
      ? { kind: "other", text: inspect(value) }
      : { kind: "plain", text: inspect(value), encoded };
  }

  return {
    expression,
    handle,
    summary,
    get: (name: string): unknown => held.get(name),
    has: (name: string): boolean => held.has(name),
    forget: (wanted: readonly string[]): void => {
      for (const name of wanted) held.delete(name);
    },
    /** Names a cell's tables, then keeps its values; plain ones frozen, because other cells share them. */
    define(values: Record<string, unknown>): Record<string, ValueSummary> {
      for (const [name, value] of Object.entries(values)) {
        if (isTable(value) && !names.has(value)) names.set(value, name);
      }
      const summaries: Record<string, ValueSummary> = {};
      for (const [name, value] of Object.entries(values)) {
        const made = summary(value);
        summaries[name] = made;
        held.set(name, made.kind === "plain" ? deepFreeze(value) : value);
      }
      return summaries;
    },
    restore(encoded: Record<string, unknown>): void {
      for (const [name, value] of Object.entries(encoded))
        held.set(name, deepFreeze(decodeStructured(value)));
    },
  };
}
