import { isCancelled, readBytes } from "../client.ts";
import { decodeWindow, type RowWindow } from "./arrow.ts";

export const pageRows = 200;
export const pageColumns = 24;
const keptPages = 80;
const intervalMs = 40;

/** A block of rows and columns of a table in some order. */
export type Place = { page: number; chunk: number; order: string };

export type View = { firstRow: number; lastRow: number; firstColumn: number; lastColumn: number };

/**
 * The blocks of one table that are here or on their way. What is in view is asked for at intervals, also while the thumb is dragged;
 * what went out of view before it came is cancelled.
 */
export class RowPages {
  readonly #addressOf: (place: Place) => string;
  readonly #onArrived: (window: RowWindow) => void;
  readonly #onFailed: (error: unknown) => void;
  #pages = new Map<string, RowWindow>();
  #loading = new Map<string, AbortController>();
  #wanted = new Map<string, Place>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    addressOf: (place: Place) => string,
    onArrived: (window: RowWindow) => void,
    onFailed: (error: unknown) => void,
  ) {
    this.#addressOf = addressOf;
    this.#onArrived = onArrived;
    this.#onFailed = onFailed;
  }

  get(row: number, column: number, order: string): { window: RowWindow; row: number } | undefined {
    const page = Math.floor(row / pageRows);
    const window = this.#pages.get(keyOf({ page, chunk: Math.floor(column / pageColumns), order }));
    return window && { window, row: row - page * pageRows };
  }

  want(view: View, order: string): void {
    this.#wanted = new Map(placesIn(view, order).map((place) => [keyOf(place), place]));
    for (const [key, loading] of this.#loading) if (!this.#wanted.has(key)) loading.abort();
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(() => this.#loadWanted(), this.#pages.size === 0 ? 0 : intervalMs);
  }

  close(): void {
    clearTimeout(this.#timer);
    for (const loading of this.#loading.values()) loading.abort();
  }

  #loadWanted(): void {
    this.#timer = undefined;
    for (const [key, place] of this.#wanted) {
      if (!this.#pages.has(key) && !this.#loading.has(key)) void this.#load(key, place);
    }
  }

  async #load(key: string, place: Place): Promise<void> {
    const cancel = new AbortController();
    this.#loading.set(key, cancel);
    try {
      const window = decodeWindow(await readBytes(this.#addressOf(place), cancel.signal));
      this.#pages.set(key, window);
      for (const old of [...this.#pages.keys()].slice(0, -keptPages)) this.#pages.delete(old);
      this.#onArrived(window);
    } catch (error) {
      if (!isCancelled(error)) this.#onFailed(error);
    } finally {
      this.#loading.delete(key);
    }
  }
}

function placesIn({ firstRow, lastRow, firstColumn, lastColumn }: View, order: string): Place[] {
  const places: Place[] = [];
  for (let page = Math.floor(firstRow / pageRows); page * pageRows <= lastRow; page += 1) {
    for (
      let chunk = Math.floor(firstColumn / pageColumns);
      chunk * pageColumns <= lastColumn;
      chunk += 1
    ) {
      places.push({ page, chunk, order });
    }
  }
  return places;
}

function keyOf({ page, chunk, order }: Place): string {
  return `${page} ${chunk} ${order}`;
}
