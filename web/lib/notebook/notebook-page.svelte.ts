import { tick } from "svelte";
import type { CellId, Variable } from "#kernel/document.ts";
import { isChord } from "../shell/keys.ts";
import type { CellView } from "./cell-view.svelte.ts";
import { isStale, NotebookSession } from "./session.svelte.ts";

/** What a person does on a notebook's page: where the focus is, what the keys mean. The session does the rest. */
export class NotebookPage {
  readonly session: NotebookSession;
  /** Ticks while something runs, for the elapsed times. */
  now = $state(Date.now());
  editingMarkdown = $state<CellId | undefined>(undefined);
  /** The cell whose editor takes the focus as soon as it is there. */
  wantsEditor: CellId | undefined;
  #pressed = { key: "", at: 0 };

  constructor(name: string) {
    this.session = new NotebookSession(name);
  }

  /** Puts the focus on a cell itself: command mode. */
  select(id: CellId): void {
    this.session.current = id;
    void this.#focusCell(id);
  }

  async #focusCell(id: CellId): Promise<void> {
    await tick();
    const element = document.getElementById(`cell-${id}`);
    element?.focus({ preventScroll: true });
    element?.scrollIntoView({ block: "nearest" });
  }

  /** Puts the cursor into a cell's text. */
  edit(id: CellId): void {
    const cell = this.session.cell(id);
    if (!cell) return;
    this.session.current = id;
    if (cell.state.kind === "markdown" && this.editingMarkdown !== id) {
      this.editingMarkdown = id;
      this.wantsEditor = id;
      return;
    }
    if (cell.editor) cell.editor.focus();
    else this.wantsEditor = id;
  }

  goTo(id: CellId, line: number, column: number): void {
    this.session.current = id;
    document.getElementById(`cell-${id}`)?.scrollIntoView({ block: "nearest" });
    this.session.cell(id)?.editor?.focus(line, column);
  }

  step(by: 1 | -1, { isEditing = false } = {}): void {
    const next = this.session.neighbour(this.session.current, by);
    if (!next) return;
    if (isEditing && next.state.kind === "code") this.edit(next.id);
    else this.select(next.id);
  }

  run(cell: CellView, then: "stay" | "next" = "stay"): void {
    if (cell.state.kind === "markdown") {
      this.editingMarkdown = undefined;
      this.session.flush();
    } else if (!cell.state.disabled) {
      this.session.run([cell.id]);
    }
    if (then === "stay") {
      if (cell.state.kind === "markdown") this.select(cell.id);
      return;
    }
    const next = this.session.neighbour(cell.id, 1);
    if (next) this.step(1, { isEditing: true });
    else this.insert(cell.id, "code");
  }

  insert(after: CellId | null, kind: "code" | "markdown"): void {
    this.session.insert(after, kind, (cell) => {
      this.session.current = cell.id;
      if (kind === "markdown") this.editingMarkdown = cell.id;
      this.wantsEditor = cell.id;
    });
  }

  insertAbove(id: CellId): void {
    this.insert(this.session.neighbour(id, -1)?.id ?? null, "code");
  }

  remove(id: CellId): void {
    const { session } = this;
    const next = session.neighbour(id, 1) ?? session.neighbour(id, -1);
    session.change({ type: "remove", cell: id });
    if (next) this.select(next.id);
  }

  move(id: CellId, by: 1 | -1): void {
    const { cells } = this.session;
    const at = cells.findIndex((cell) => cell.id === id);
    const target = at + by;
    if (target < 0 || target >= cells.length) return;
    const after = by === 1 ? cells[at + 1] : cells[at - 2];
    this.session.change({ type: "move", cell: id, after: after?.id ?? null });
    this.select(id);
  }

  toggleDisabled(cell: CellView): void {
    this.session.change({ type: "setDisabled", cell: cell.id, disabled: !cell.state.disabled });
  }

  /** The names a stale cell waits for: what its stale or running ancestors give it. */
  waitsFor(id: CellId): string[] {
    const { edges } = this.session;
    const names = edges
      .filter((edge) => edge.to === id)
      .filter((edge) => {
        const from = this.session.cell(edge.from)?.state;
        return (
          from !== undefined &&
          (isStale(from) || from.status === "running" || from.status === "queued")
        );
      })
      .map((edge) => edge.name);
    return names.filter((name, index) => names.indexOf(name) === index);
  }

  variablesOf(id: CellId): Variable[] {
    return this.session.variables.filter((variable) => variable.cell === id);
  }

  nextError(): void {
    const { errors, cells, current } = this.session;
    const at = cells.findIndex((cell) => cell.id === current);
    const next = errors.find((cell) => cells.indexOf(cell) > at) ?? errors[0];
    if (!next) return;
    const place = next.state.outputs.find((output) => output.kind === "problem")?.problem.at;
    if (place?.line !== undefined) this.goTo(next.id, place.line, place.column ?? 1);
    else this.select(next.id);
  }

  /** Keys on a cell itself, where nothing is being written. */
  onCellKey(event: KeyboardEvent, cell: CellView): void {
    if (event.target !== event.currentTarget) return;
    const isSecond = this.#pressed.key === event.key && event.timeStamp - this.#pressed.at < 600;
    this.#pressed = { key: isSecond ? "" : event.key, at: event.timeStamp };
    const action = this.#cellAction(event, cell, isSecond);
    if (!action) return;
    event.preventDefault();
    event.stopPropagation();
    action();
  }

  #cellAction(event: KeyboardEvent, cell: CellView, isSecond: boolean): (() => void) | undefined {
    const chords: [string, () => void][] = [
      ["Enter", () => this.edit(cell.id)],
      ["Mod+Enter", () => this.run(cell)],
      ["Shift+Enter", () => this.run(cell, "next")],
      ["ArrowDown", () => this.step(1)],
      ["j", () => this.step(1)],
      ["ArrowUp", () => this.step(-1)],
      ["k", () => this.step(-1)],
      ["Alt+ArrowUp", () => this.move(cell.id, -1)],
      ["Alt+ArrowDown", () => this.move(cell.id, 1)],
      ["a", () => this.insertAbove(cell.id)],
      ["b", () => this.insert(cell.id, "code")],
      ["m", () => this.insert(cell.id, "markdown")],
      ["e", () => this.toggleDisabled(cell)],
      ["z", () => this.session.undo()],
      ["Mod+Z", () => this.session.undo()],
    ];
    const found = chords.find(([chord]) => isChord(event, chord));
    if (found) return found[1];
    if (isChord(event, "d") && isSecond) return () => this.remove(cell.id);
    if (isChord(event, "i") && isSecond) return () => this.session.apply({ type: "interrupt" });
    return undefined;
  }
}
