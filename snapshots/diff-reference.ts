/** A diff that is slow and plainly follows the definitions of docs/diff.md, to test the fast one against. */
export type ReferenceRow = { key: string; cells: (string | number | null)[] };
export type ReferenceCounts = {
  equal: number;
  changed: number;
  added: number;
  removed: number;
  ambiguous: { keys: number; left: number; right: number };
  changedIn: number[];
};

/** How cells are compared: `form` before anything else, `isClose` between two single leftovers. */
export type ReferenceRule = {
  form(cell: string | number | null): string | number | null;
  isClose(left: string | number | null, right: string | number | null): boolean;
};

export const exactly: ReferenceRule = { form: (cell) => cell, isClose: () => false };

export function referenceDiff(
  left: ReferenceRow[],
  right: ReferenceRow[],
  rules: ReferenceRule[],
): ReferenceCounts {
  const counts: ReferenceCounts = {
    equal: 0,
    changed: 0,
    added: 0,
    removed: 0,
    ambiguous: { keys: 0, left: 0, right: 0 },
    changedIn: rules.map(() => 0),
  };
  const formed = (row: ReferenceRow): ReferenceRow => ({
    key: row.key,
    cells: row.cells.map((cell, i) => (rules[i] ?? exactly).form(cell)),
  });
  const [lefts, rights] = [left.map(formed), right.map(formed)];
  for (const key of new Set([...lefts, ...rights].map((row) => row.key))) {
    const rightRows = rights.filter((row) => row.key === key);
    const leftOver: ReferenceRow[] = [];
    for (const row of lefts.filter((each) => each.key === key)) {
      const same = rightRows.findIndex((other) => textOf(other) === textOf(row));
      if (same === -1) leftOver.push(row);
      else {
        rightRows.splice(same, 1);
        counts.equal += 1;
      }
    }
    const [before] = leftOver;
    const [after] = rightRows;
    if (before && after && leftOver.length === 1 && rightRows.length === 1) {
      const differs = before.cells.map((cell, i) => {
        const other = after.cells[i] ?? null;
        return String(cell) !== String(other) && !(rules[i] ?? exactly).isClose(cell, other);
      });
      differs.forEach((isDifferent, i) => {
        if (isDifferent) counts.changedIn[i] = (counts.changedIn[i] ?? 0) + 1;
      });
      if (differs.includes(true)) counts.changed += 1;
      else counts.equal += 1;
    } else if (rightRows.length === 0) counts.removed += leftOver.length;
    else if (leftOver.length === 0) counts.added += rightRows.length;
    else {
      counts.ambiguous.keys += 1;
      counts.ambiguous.left += leftOver.length;
      counts.ambiguous.right += rightRows.length;
    }
  }
  return counts;
}

/** No cell's text holds what stands between them. */
function textOf({ cells }: ReferenceRow): string {
  return cells.map(String).join("\u0000");
}
