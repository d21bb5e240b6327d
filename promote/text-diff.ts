export type DiffLine = { kind: "same" | "removed" | "added"; text: string };

/**
 * Two texts line by line, by their longest common subsequence (Hunt and McIlroy's definition, by plain dynamic
 * programming on what is left between common head and tail): exact, and quick for files people write.
 */
export function diffLines(before: string, after: string): DiffLine[] {
  const left = lines(before);
  const right = lines(after);
  let head = 0;
  while (head < left.length && head < right.length && left[head] === right[head]) head += 1;
  let tail = 0;
  while (
    tail < left.length - head &&
    tail < right.length - head &&
    left[left.length - 1 - tail] === right[right.length - 1 - tail]
  ) {
    tail += 1;
  }
  return [
    ...left.slice(0, head).map(same),
    ...middle(left.slice(head, left.length - tail), right.slice(head, right.length - tail)),
    ...left.slice(left.length - tail).map(same),
  ];
}

/** Only the changed lines and `context` lines around them. */
export function changedLines(diff: DiffLine[], context = 3): DiffLine[] {
  const keep = new Set<number>();
  for (const [index, line] of diff.entries()) {
    if (line.kind === "same") continue;
    for (let near = index - context; near <= index + context; near += 1) keep.add(near);
  }
  return diff.filter((_, index) => keep.has(index));
}

const same = (text: string): DiffLine => ({ kind: "same", text });

function middle(left: string[], right: string[]): DiffLine[] {
  const width = right.length + 1;
  const lengths = new Uint32Array((left.length + 1) * width);
  const at = (row: number, column: number) => lengths[row * width + column] ?? 0;
  for (let row = left.length - 1; row >= 0; row -= 1) {
    for (let column = right.length - 1; column >= 0; column -= 1) {
      lengths[row * width + column] =
        left[row] === right[column]
          ? at(row + 1, column + 1) + 1
          : Math.max(at(row + 1, column), at(row, column + 1));
    }
  }
  const result: DiffLine[] = [];
  let row = 0;
  let column = 0;
  while (row < left.length || column < right.length) {
    const [from, to] = [left[row], right[column]];
    if (from !== undefined && from === to) {
      result.push({ kind: "same", text: from });
      row += 1;
      column += 1;
    } else if (
      from !== undefined &&
      (to === undefined || at(row + 1, column) >= at(row, column + 1))
    ) {
      result.push({ kind: "removed", text: from });
      row += 1;
    } else if (to !== undefined) {
      result.push({ kind: "added", text: to });
      column += 1;
    }
  }
  return result;
}

function lines(text: string): string[] {
  if (text === "") return [];
  return text.replace(/\r?\n$/, "").split(/\r?\n/);
}
