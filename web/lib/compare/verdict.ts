import { count, counted } from "../format.ts";
import type { DiffSummary } from "#snapshots/diff.ts";

/** The answer in one sentence, then what it rests on: "606 of 19,977 rows changed, only in `late` and `excess`." */
export function verdict(summary: DiffSummary): string {
  const { rows } = summary;
  const schema = schemaSentence(summary);
  if (summary.identical && rows.left === 0) return "Nothing changed. Both sides are empty.";
  if (summary.identical) return `Nothing changed. All ${counted(rows.left, "row")} are equal.`;
  const sentences = [rowsSentence(summary), schema].filter(Boolean);
  return sentences.join(" ");
}

function rowsSentence({ rows, columns }: DiffSummary): string {
  const others = [
    rows.added > 0 && `${count(rows.added)} ${rows.added === 1 ? "is" : "are"} new`,
    rows.removed > 0 && `${count(rows.removed)} ${rows.removed === 1 ? "is" : "are"} gone`,
    rows.ambiguous.keys > 0 &&
      `${count(rows.ambiguous.left + rows.ambiguous.right)} cannot be told apart`,
  ].filter((part) => part !== false);
  if (rows.changed === 0) {
    if (others.length === 0) return `All ${counted(rows.left, "row")} hold the same values.`;
    const lead = rows.equal === 0 ? "No row is the same:" : "No row changed:";
    return `${lead} ${list(others)}.`;
  }
  const changed = columns.filter((column) => column.changed > 0).map(({ name }) => `\`${name}\``);
  const where =
    changed.length > 0 && changed.length <= 3
      ? `, ${only(columns.length, changed.length)}in ${list(changed)}`
      : "";
  const lead = `${count(rows.changed)} of ${counted(rows.left, "row")} changed${where}`;
  return others.length === 0 ? `${lead}.` : `${lead}; ${list(others)}.`;
}

function only(all: number, changed: number): string {
  return all > changed ? "only " : "";
}

function schemaSentence({ columns }: DiffSummary): string {
  const named = (status: string, verb: string): string | false => {
    const names = columns
      .filter((column) => column.status === status)
      .map(({ name }) => `\`${name}\``);
    if (names.length === 0) return false;
    return names.length > 3 ? `${names.length} columns ${verb}` : `${list(names)} ${verb}`;
  };
  const parts = [
    named("added", "new"),
    named("removed", "gone"),
    named("typeChanged", "of another type"),
  ].filter((part): part is string => part !== false);
  return parts.length === 0 ? "" : `Columns: ${list(parts)}.`;
}

/** "a", "a and b", "a, b and c". */
export function list(parts: string[]): string {
  if (parts.length < 2) return parts.join("");
  return `${parts.slice(0, -1).join(", ")} and ${parts.at(-1)}`;
}

/** Both sides as sums that add up in sight; a term that is zero is left out. */
export function sums({ rows }: DiffSummary): { before: string; after: string } {
  const side = (total: number, only: number, ambiguous: number) => {
    const terms = [rows.equal, rows.changed, only, ambiguous].filter((term) => term > 0);
    return terms.length < 2
      ? count(total)
      : `${count(total)} = ${terms.map((term) => count(term)).join(" + ")}`;
  };
  return {
    before: side(rows.left, rows.removed, rows.ambiguous.left),
    after: side(rows.right, rows.added, rows.ambiguous.right),
  };
}

export type Kind = "changed" | "added" | "removed" | "ambiguous";

export const kinds: { kind: Kind; glyph: string; word: string }[] = [
  { kind: "changed", glyph: "~", word: "changed" },
  { kind: "added", glyph: "+", word: "added" },
  { kind: "removed", glyph: "−", word: "removed" },
  { kind: "ambiguous", glyph: "?", word: "ambiguous" },
];

/** How many rows the list holds for a kind; ambiguous rows are listed on both sides. */
export function listed({ rows }: DiffSummary, kind: Kind | undefined): number {
  if (kind === "ambiguous") return rows.ambiguous.left + rows.ambiguous.right;
  if (kind) return rows[kind];
  return kinds.reduce((sum, each) => sum + listedKind(rows, each.kind), 0);
}

function listedKind(rows: DiffSummary["rows"], kind: Kind): number {
  return kind === "ambiguous" ? rows.ambiguous.left + rows.ambiguous.right : rows[kind];
}
