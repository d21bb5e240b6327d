/* oxlint-disable typescript/unbound-method -- taken before user code runs, and called with its `this` */
const textOf = Function.prototype.toString;
const call = Reflect.apply;

const name = String.raw`[A-Za-z_$][\w$]*`;
const oneName = new RegExp(
  String.raw`^(?:(?:(${name})|\(\s*(${name})?\s*,?\s*\))\s*=>|function(?:\s+${name})?\s*\(\s*(${name})?\s*,?\s*\)\s*\{)`,
);
const pattern = new RegExp(String.raw`^\(\s*\{\s*(${name}(?:\s*,\s*${name})*)\s*,?\s*\}\s*\)\s*=>`);
const namesIn = new RegExp(name, "g");
/** What could reach the row without naming it, or name it in a way the search below does not see. */
const unclear = /\b(?:eval|arguments)\b|\[native code\]|\\|[^\t\n\r\x20-\x7e]/;

/**
 * The columns a function of a row can look at, told from its own text; undefined when it might look at any. The row is in
 * the function's hands alone, under its parameter's name: where each occurrence of that name is followed by `.column`, no other
 * column can be seen. Occurrences in texts and comments count too, which errs on the side of more columns.
 */
export function columnsRead(
  of: (row: never) => unknown,
  columns: readonly string[],
): string[] | undefined {
  const text: string = call(textOf, of, []);
  if (unclear.test(text)) return undefined;
  const known = new Set(columns);
  const found = new Set<string>();
  const taken = pattern.exec(text);
  const plain = oneName.exec(text);
  if (taken) {
    for (const [column] of (taken[1] ?? "").matchAll(namesIn)) found.add(column);
  } else if (plain) {
    const row = plain[1] ?? plain[2] ?? plain[3];
    if (row === undefined) return [];
    const body = text.slice(plain[0].length);
    // Identifiers are ASCII here, so nothing but these characters can go on with a name.
    const uses = new RegExp(
      String.raw`(?<![\w$])${row.replaceAll("$", String.raw`\$`)}(?![\w$])(?:\s*\??\.\s*(${name}))?`,
      "g",
    );
    for (const [, column] of body.matchAll(uses)) {
      if (column === undefined) return undefined;
      found.add(column);
    }
  } else return undefined;
  // A name that is no column is a method of every object, and may tell about all of them.
  for (const column of found) if (!known.has(column)) return undefined;
  return columns.filter((column) => found.has(column));
}
