/** A diff that is slow and plainly follows the definitions, to test the fast one against. Cells are compared as JSON texts. */
export type ReferenceRow = { key: string; cells: string[] };
export type ReferenceCounts = {
  equal: number;
  changed: number;
  added: number;
  removed: number;
  ambiguous: { keys: number; left: number; right: number };
  changedIn: number[];
};

export function referenceDiff(
  left: ReferenceRow[],
  right: ReferenceRow[],
  columnCount: number,
): ReferenceCounts {
  const counts: ReferenceCounts = {
    equal: 0,
    changed: 0,
    added: 0,
    removed: 0,
    ambiguous: { keys: 0, left: 0, right: 0 },
    changedIn: Array.from({ length: columnCount }, () => 0),
  };
  for (const key of new Set([...left, ...right].map((row) => row.key))) {
    const leftRows = left.filter((row) => row.key === key);
    const rightRows = right.filter((row) => row.key === key);
    const leftOver: ReferenceRow[] = [];
    for (const row of leftRows) {
      const same = rightRows.findIndex(
        (other) => JSON.stringify(other.cells) === JSON.stringify(row.cells),
      );
      if (same === -1) leftOver.push(row);
      else {
        rightRows.splice(same, 1);
        counts.equal += 1;
      }
    }
    const [before] = leftOver;
    const [after] = rightRows;
    if (before && after && leftOver.length === 1 && rightRows.length === 1) {
      counts.changed += 1;
      before.cells.forEach((cell, i) => {
        if (cell !== after.cells[i]) counts.changedIn[i] = (counts.changedIn[i] ?? 0) + 1;
      });
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
