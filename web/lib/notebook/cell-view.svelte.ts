import type { CellState, Diagnostic } from "#kernel/document.ts";
import type { EditorHandle } from "../editor/handle.ts";

/**
 * One cell as this page shows it: what the session says, and the text as it is being written here. The two part while an edit
 * is on its way; an echo of an older edit must not take back what was written since.
 */
export class CellView {
  state = $state.raw<CellState>() as CellState;
  text = $state("");
  diagnostics = $state.raw<Diagnostic[]>([]);
  /** When the page learned that it runs, by the page's own clock. */
  startedAt = $state<number | undefined>(undefined);
  editor: EditorHandle | undefined;
  readonly id: string;
  #sent: string[] = [];
  #isUnsent = false;

  constructor(state: CellState) {
    this.id = state.id;
    this.state = state;
    this.text = state.source;
  }

  /** True while the server does not have the text that stands here. */
  get isUnsent(): boolean {
    return this.#isUnsent;
  }

  /** True until the server has said that it has it. */
  get isAwaiting(): boolean {
    return this.#isUnsent || this.#sent.length > 0;
  }

  write(text: string): void {
    this.text = text;
    this.#isUnsent = true;
  }

  markSent(): void {
    this.#isUnsent = false;
    this.#sent.push(this.text);
  }

  accept(state: CellState): void {
    this.state = state;
    const echoed = this.#sent.indexOf(state.source);
    if (echoed >= 0) this.#sent.splice(0, echoed + 1);
    if (this.#isUnsent || this.#sent.length > 0) return;
    if (this.text !== state.source) this.text = state.source;
  }

  /** After the connection was away: nothing sent can be counted on. True when the text must be sent again. */
  reconcile(state: CellState): boolean {
    const isOurs = this.#isUnsent || this.#sent.length > 0;
    this.#sent = [];
    this.state = state;
    if (isOurs && this.text !== state.source) return true;
    this.#isUnsent = false;
    this.text = state.source;
    return false;
  }
}
