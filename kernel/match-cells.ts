/**
 * Which of the cells before is which of the cells after: equal texts first, in order; then what lies in the same gap
 * between two matches, in order (a cell whose text was edited). Returns, per cell after, the index before.
 */
export function matchCells(before: string[], after: string[]): (number | undefined)[] {
  const places = new Map<string, number[]>();
  before.forEach((text, index) => places.set(text, [...(places.get(text) ?? []), index]));
  const matches: (number | undefined)[] = after.map((text) => places.get(text)?.shift());
  const taken = new Set(matches);
  let previous = -1;
  after.forEach((_, index) => {
    const match = matches[index];
    if (match !== undefined) {
      previous = match;
      return;
    }
    const next = previous + 1;
    if (next < before.length && !taken.has(next)) {
      matches[index] = next;
      taken.add(next);
      previous = next;
    }
  });
  return matches;
}
