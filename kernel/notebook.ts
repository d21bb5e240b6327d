/** A cell as it stands in the file: the marker line, the text, and the blank lines that follow it, all exact. */
export type NotebookCell = {
  /** The marker line with its line break; empty for text above the first marker. */
  marker: string;
  /** The cell's text, without the line breaks that separate it from the next marker. */
  body: string;
  /** Line breaks (and blanks) between the text and the next marker or the end of the file. */
  tail: string;
  kind: "code" | "markdown";
  disabled: boolean;
};

/** A notebook in percent format. `serialise(parseNotebook(text)) === text` for any text. */
export type Notebook = {
  /** A byte order mark and blank lines above the first cell. */
  head: string;
  cells: NotebookCell[];
  newline: "\n" | "\r\n";
};

const markerLine = /^[ \t]*\/\/[ \t]?%%(?!%)[^\r\n]*(?:\r\n|\n|\r|$)/gm;

/** Splits a text into cells at its `// %%` lines. Accepts any text; loses no character. */
export function parseNotebook(text: string): Notebook {
  const starts = [...text.matchAll(markerLine)].map((match) => ({
    at: match.index,
    marker: match[0],
  }));
  const first = starts[0]?.at ?? text.length;
  const above = text.slice(0, first);
  const cells: NotebookCell[] = [];
  const isBlankAbove = above.replace(/^\uFEFF/, "").trim() === "";
  const bom = above.startsWith("\uFEFF") ? "\uFEFF" : "";
  if (!isBlankAbove) cells.push(cellFrom("", above.slice(bom.length)));
  starts.forEach(({ at, marker }, index) => {
    const end = starts[index + 1]?.at ?? text.length;
    cells.push(cellFrom(marker, text.slice(at + marker.length, end)));
  });
  return {
    head: isBlankAbove ? above : bom,
    cells,
    newline: /\r\n/.test(text) ? "\r\n" : "\n",
  };
}

/** The file's text. */
export function serialise(notebook: Notebook): string {
  return notebook.head + notebook.cells.map((cell) => cell.marker + cell.body + cell.tail).join("");
}

/** The cell's text as a person edits it: line breaks are `\n`, and a Markdown cell has no comment signs. */
export function sourceOf(cell: NotebookCell): string {
  const text = cell.body.replace(/\r\n/g, "\n");
  return cell.kind === "markdown" ? uncomment(text) : text;
}

/** Puts a new text in a cell; everything else in the file stays as it was, to the byte. */
export function replaceCell(notebook: Notebook, index: number, source: string): Notebook {
  const cell = notebook.cells[index];
  if (!cell || sourceOf(cell) === source) return notebook;
  const text = cell.kind === "markdown" ? comment(source) : source;
  const isFirstText = cell.body === "" && cell.marker !== "" && !/[\r\n]$/.test(cell.marker);
  const replaced: NotebookCell = {
    ...cell,
    marker: isFirstText ? cell.marker + notebook.newline : cell.marker,
    body: withNewline(text, notebook.newline),
  };
  return { ...notebook, cells: notebook.cells.with(index, replaced) };
}

/** Inserts a cell so that it stands at `index`. */
export function insertCell(
  notebook: Notebook,
  index: number,
  kind: "code" | "markdown",
  source: string,
): Notebook {
  const { newline } = notebook;
  const text = withNewline(kind === "markdown" ? comment(source) : source, newline);
  const cell: NotebookCell = {
    marker: markerFor(kind, false) + newline,
    body: text,
    tail: newline + newline,
    kind,
    disabled: false,
  };
  const cells = notebook.cells.toSpliced(index, 0, cell);
  return tidyEnd(endLines({ ...notebook, cells }, index - 1), index);
}

/** Takes a cell out. Where it was the last, the one before ends the file as it did. */
export function removeCell(notebook: Notebook, index: number): Notebook {
  const removed = notebook.cells[index];
  const cells = notebook.cells.toSpliced(index, 1);
  const last = cells.at(-1);
  if (!removed || !last || index < cells.length) return { ...notebook, cells };
  return { ...notebook, cells: cells.with(cells.length - 1, { ...last, tail: removed.tail }) };
}

/** Moves the cell at `from` so that it stands at `to` afterwards. */
export function moveCell(notebook: Notebook, from: number, to: number): Notebook {
  const cell = notebook.cells[from];
  if (!cell || from === to) return notebook;
  const { newline } = notebook;
  const marked =
    cell.marker === "" ? { ...cell, marker: markerFor("code", false) + newline } : cell;
  const cells = notebook.cells.toSpliced(from, 1).toSpliced(to, 0, marked);
  const first = cells[1];
  if (to === 0 && first?.marker === "") {
    cells[1] = { ...first, marker: markerFor("code", false) + newline };
  }
  return cells.reduce<Notebook>((done, _, index) => endLines(done, index), { ...notebook, cells });
}

/** A cell's own settings sit on its marker: `// %% [disabled]`. */
export function setDisabled(notebook: Notebook, index: number, disabled: boolean): Notebook {
  const cell = notebook.cells[index];
  if (!cell || cell.disabled === disabled) return notebook;
  const lineBreak = /[\r\n]*$/.exec(cell.marker)?.[0] || notebook.newline;
  const line = cell.marker.slice(
    0,
    cell.marker.length - (/[\r\n]*$/.exec(cell.marker)?.[0].length ?? 0),
  );
  const marker = disabled
    ? (line === "" ? "// %%" : line.trimEnd()) + " [disabled]"
    : line.replace(/[ \t]*\[disabled\]/i, "");
  return {
    ...notebook,
    cells: notebook.cells.with(index, { ...cell, marker: marker + lineBreak, disabled }),
  };
}

/** Zero-based line of the file on which each cell's text begins. */
export function firstLines(notebook: Notebook): number[] {
  let line = lineBreaks(notebook.head);
  return notebook.cells.map((cell) => {
    const first = line + lineBreaks(cell.marker);
    line = first + lineBreaks(cell.body) + lineBreaks(cell.tail);
    return first;
  });
}

/** Offset in the file at which each cell's text begins. */
export function firstOffsets(notebook: Notebook): number[] {
  let offset = notebook.head.length;
  return notebook.cells.map((cell) => {
    const first = offset + cell.marker.length;
    offset = first + cell.body.length + cell.tail.length;
    return first;
  });
}

function cellFrom(marker: string, text: string): NotebookCell {
  const tail = /(?:[ \t]*(?:\r\n|\n|\r))*[ \t]*$/.exec(text)?.[0] ?? "";
  return {
    marker,
    body: text.slice(0, text.length - tail.length),
    tail,
    kind: /\[(?:markdown|md)\]/i.test(marker) ? "markdown" : "code",
    disabled: /\[disabled\]/i.test(marker),
  };
}

function markerFor(kind: "code" | "markdown", disabled: boolean): string {
  return `// %%${kind === "markdown" ? " [markdown]" : ""}${disabled ? " [disabled]" : ""}`;
}

/** A marker must begin its line: the text before it gets the line break it lacks. */
function endLines(notebook: Notebook, index: number): Notebook {
  const cell = notebook.cells[index];
  if (!cell || index === notebook.cells.length - 1) return notebook;
  const text = cell.marker + cell.body + cell.tail;
  if (/[\r\n]$/.test(text) && (cell.body === "" || lineBreaks(cell.tail) > 1)) return notebook;
  const missing = /[\r\n]$/.test(text) ? 1 : 2;
  const tail = cell.tail + notebook.newline.repeat(missing);
  return { ...notebook, cells: notebook.cells.with(index, { ...cell, tail }) };
}

/** The last cell of a file ends with one line break. */
function tidyEnd(notebook: Notebook, index: number): Notebook {
  const cell = notebook.cells[index];
  if (!cell || index !== notebook.cells.length - 1) return notebook;
  return { ...notebook, cells: notebook.cells.with(index, { ...cell, tail: notebook.newline }) };
}

function uncomment(text: string): string {
  return text
    .split("\n")
    .map((line) => line.replace(/^[ \t]*\/\/[ ]?/, ""))
    .join("\n");
}

function comment(text: string): string {
  return text
    .replace(/\r\n/g, "\n")
    .split("\n")
    .map((line) => (line === "" ? "//" : `// ${line}`))
    .join("\n");
}

function withNewline(text: string, newline: string): string {
  return text.replace(/\r\n/g, "\n").replace(/\n/g, newline);
}

function lineBreaks(text: string): number {
  return text.match(/\r\n|\n|\r/g)?.length ?? 0;
}
