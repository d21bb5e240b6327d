import type {
  CellId,
  CellState,
  Diagnostic,
  NotebookDocument,
  Operation,
  SessionEvent,
} from "#kernel/document.ts";
import type { Problem } from "#snapshots/problem.ts";
import type { CompletionItem } from "../editor/providers.ts";
import { LiveSocket } from "../socket.svelte.ts";
import { CellView } from "./cell-view.svelte.ts";
import { Replies } from "./replies.ts";
import { inverse } from "./undo.ts";

type Reply = {
  reply: number;
  completions?: CompletionItem[];
  hover?: string | null;
  problem?: Problem;
};
type Incoming = SessionEvent | Reply;

const editDelayMs = 200;

/** A notebook as one page sees it: the server's document, the edits on their way, what is selected. */
export class NotebookSession {
  readonly name: string;
  cells = $state.raw<CellView[]>([]);
  variables = $state.raw<NotebookDocument["variables"]>([]);
  edges = $state.raw<NotebookDocument["edges"]>([]);
  isDirty = $state(false);
  conflict = $state.raw<Problem | undefined>(undefined);
  problem = $state.raw<Problem | undefined>(undefined);
  sandbox = $state.raw<NotebookDocument["sandbox"]>({ isReduced: false });
  isLoaded = $state(false);
  savedAt = $state<number | undefined>(undefined);
  current = $state<CellId | undefined>(undefined);
  /** How the last structural change is taken back, newest last. */
  undoable = $state.raw<Operation[][]>([]);

  running = $derived(
    this.cells.filter(({ state }) => state.status === "running" || state.status === "queued"),
  );
  errors = $derived(this.cells.filter(({ state }) => state.status === "error"));
  stale = $derived(this.cells.filter(({ state }) => isStale(state)));

  readonly socket: LiveSocket<Incoming>;
  readonly #replies = new Replies<Reply>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #awaitsInsert: ((cell: CellView) => void) | undefined;

  constructor(name: string) {
    this.name = name;
    this.socket = new LiveSocket<Incoming>(
      `/api/notebooks/${encodeURIComponent(name)}/session`,
      (message) => this.#receive(message),
      () => this.#replies.abandon(),
    );
  }

  /** True while the server may not have all that was written here. */
  get hasLostEdits(): boolean {
    return this.cells.some((cell) => cell.isAwaiting);
  }

  cell(id: CellId | undefined): CellView | undefined {
    return this.cells.find((cell) => cell.id === id);
  }

  neighbour(id: CellId | undefined, step: 1 | -1): CellView | undefined {
    const at = this.cells.findIndex((cell) => cell.id === id);
    return this.cells[at + step];
  }

  write(cell: CellView, text: string): void {
    cell.write(text);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.flush(), editDelayMs);
  }

  /** Sends what was written. Before anything that depends on the text: run, save, completion. */
  flush(): void {
    clearTimeout(this.#timer);
    for (const cell of this.cells) {
      if (!cell.isUnsent) continue;
      cell.markSent();
      this.socket.send({
        op: { type: "edit", cell: cell.id, source: cell.text } satisfies Operation,
      });
    }
  }

  apply(op: Operation): void {
    this.flush();
    this.socket.send({ op });
  }

  run(cells: CellId[]): void {
    this.apply({ type: "run", cells });
  }

  /** A change of structure, which `undo` can take back. */
  change(op: Operation): void {
    const back = inverse(op, this.cells);
    if (back) this.undoable = [...this.undoable.slice(-49), back];
    this.apply(op);
  }

  undo(): void {
    const last = this.undoable.at(-1);
    if (!last) return;
    this.undoable = this.undoable.slice(0, -1);
    for (const op of last) this.apply(op);
  }

  insert(after: CellId | null, kind: "code" | "markdown", then: (cell: CellView) => void): void {
    this.#awaitsInsert = (cell) => {
      this.undoable = [...this.undoable, [{ type: "remove", cell: cell.id }]];
      then(cell);
    };
    this.apply({ type: "insert", after, kind });
  }

  async completions(cell: CellId, line: number, column: number): Promise<CompletionItem[]> {
    const reply = await this.#ask({ complete: { cell, line, column } });
    return reply?.completions ?? [];
  }

  async hover(cell: CellId, line: number, column: number): Promise<string | undefined> {
    const reply = await this.#ask({ hover: { cell, line, column } });
    return reply?.hover ?? undefined;
  }

  close(): void {
    this.flush();
    clearTimeout(this.#timer);
    this.#replies.abandon();
    this.socket.close();
  }

  #ask(question: object): Promise<Reply | undefined> {
    if (this.socket.connection !== "open") return Promise.resolve(undefined);
    this.flush();
    return this.#replies.ask((id) => this.socket.send({ id, ...question }));
  }

  #receive(message: Incoming): void {
    if ("reply" in message) {
      this.#replies.answer(message.reply, message);
      if (message.problem) this.problem = message.problem;
      return;
    }
    if (message.type === "document") this.#receiveDocument(message.document);
    if (message.type === "cell") this.#receiveCell(message);
    if (message.type === "diagnostics") this.#receiveDiagnostics(message.diagnostics);
    if (message.type === "problem") this.problem = message.problem;
    if (message.type === "saved") {
      this.savedAt = Date.now();
      this.isDirty = false;
      this.conflict = undefined;
    }
  }

  #receiveDocument(document: NotebookDocument): void {
    const added: CellView[] = [];
    this.cells = document.cells.map((state) => {
      const cell = this.cell(state.id);
      if (!cell) {
        const made = new CellView(state);
        added.push(made);
        return made;
      }
      if (cell.reconcile(state)) this.write(cell, cell.text);
      return cell;
    });
    for (const cell of this.cells) this.#stamp(cell, document.running);
    this.variables = document.variables;
    this.edges = document.edges;
    this.isDirty = document.isDirty;
    this.conflict = document.conflict;
    this.sandbox = document.sandbox;
    if (!this.cell(this.current)) this.current = this.cells[0]?.id;
    const inserted = this.isLoaded ? added[0] : undefined;
    this.isLoaded = true;
    if (inserted && this.#awaitsInsert) {
      this.#awaitsInsert(inserted);
      this.#awaitsInsert = undefined;
    }
  }

  #receiveCell(event: Extract<SessionEvent, { type: "cell" }>): void {
    const cell = this.cell(event.cell.id);
    cell?.accept(event.cell);
    this.variables = event.variables;
    this.isDirty = event.isDirty;
    if (cell) this.#stamp(cell, event.running ?? undefined);
    // `running`, `errors` and `stale` read each cell's own state, so the list itself need not change.
  }

  #stamp(cell: CellView, running: NotebookDocument["running"]): void {
    if (cell.state.status !== "running") cell.startedAt = undefined;
    else if (cell.startedAt === undefined) {
      // Zero until the cell's evaluation has really begun.
      const startedAt = running?.cell === cell.id ? running.startedAt : 0;
      cell.startedAt = startedAt > 0 ? Math.min(startedAt, Date.now()) : Date.now();
    }
  }

  #receiveDiagnostics(diagnostics: Diagnostic[]): void {
    for (const cell of this.cells) {
      const own = diagnostics.filter((each) => each.cell === cell.id);
      if (own.length > 0 || cell.diagnostics.length > 0) cell.diagnostics = own;
    }
  }
}

/** What "run stale" would run: whatever was changed, or never ran. */
export function isStale(state: CellState): boolean {
  return (
    state.kind === "code" &&
    !state.disabled &&
    (state.status === "stale" || state.status === "idle") &&
    state.source.trim() !== ""
  );
}
