import type { Column } from "#snapshots/table.ts";

/** What readers of a transform's output may rely on. */
export type OutputContract = { columns: Column[]; key: string[]; maxParts: number };

/** One clause of a contract that differs. `breaks`: a reader of the old output may fail on the new one. */
export type ContractChange = {
  kind: "removed" | "added" | "type" | "nullable" | "required" | "key" | "parts";
  column?: string;
  before: string | null;
  after: string | null;
  breaks: boolean;
  message: string;
};

/** How an output contract changed, in the order of the columns before, then the new ones. */
export function contractChanges(before: OutputContract, after: OutputContract): ContractChange[] {
  const afterColumns = new Map(after.columns.map((column) => [column.name, column]));
  const beforeNames = new Set(before.columns.map((column) => column.name));
  return [
    ...before.columns.flatMap((column) => columnChange(column, afterColumns.get(column.name))),
    ...after.columns.filter(({ name }) => !beforeNames.has(name)).map(addedColumn),
    ...keyChange(before.key, after.key),
    ...partsChange(before.maxParts, after.maxParts),
  ];
}

function columnChange(before: Column, after: Column | undefined): ContractChange[] {
  const column = before.name;
  if (!after) {
    const message = `Column ${column} is removed; whoever reads it finds nothing.`;
    return [{ kind: "removed", column, before: text(before), after: null, breaks: true, message }];
  }
  const clause = { column, before: text(before), after: text(after) };
  if (before.type !== after.type) {
    const message = `Column ${column} changes from ${before.type} to ${after.type}.`;
    return [{ ...clause, kind: "type", breaks: true, message }];
  }
  if (before.nullable === after.nullable) return [];
  if (after.nullable) {
    const message = `Column ${column} may be null now; readers may not expect that.`;
    return [{ ...clause, kind: "nullable", breaks: true, message }];
  }
  const message = `Column ${column} is never null any more.`;
  return [{ ...clause, kind: "required", breaks: false, message }];
}

function addedColumn(column: Column): ContractChange {
  const message = `Column ${column.name} (${column.type}) is new.`;
  return {
    kind: "added",
    column: column.name,
    before: null,
    after: text(column),
    breaks: false,
    message,
  };
}

function keyChange(before: string[], after: string[]): ContractChange[] {
  if (before.join("\0") === after.join("\0")) return [];
  const [from, to] = [before.join(", "), after.join(", ")];
  const message = `The key changes from ${from || "none"} to ${to || "none"}: rows already written would stay under the old one.`;
  return [{ kind: "key", before: from, after: to, breaks: true, message }];
}

function partsChange(before: number, after: number): ContractChange[] {
  if (before === after) return [];
  const breaks = after < before;
  const consequence = breaks ? "rows of the parts above it would stay behind" : "no row is lost";
  const message = `A record made up to ${before} rows and now makes up to ${after}: ${consequence}.`;
  return [{ kind: "parts", before: String(before), after: String(after), breaks, message }];
}

function text(column: Column): string {
  return column.nullable ? `${column.type} or null` : column.type;
}
