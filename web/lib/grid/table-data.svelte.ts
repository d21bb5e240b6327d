import type { Column, TableHash } from "#snapshots/table.ts";
import type { Problem } from "#snapshots/problem.ts";
import { api, isCancelled, problemOf, read, readBytes } from "../client.ts";
import { decodeWindow, type RowWindow } from "./arrow.ts";
import { bareText, cellText, decimalsNeeded, isNumeric, type CellText } from "./cell-text.ts";
import type { ColumnProfile } from "./profile.ts";

export type Sort = { column: string; descending: boolean };

const pageRows = 200;
const pageColumns = 24;
const keptPages = 80;

/** One table of the content store, of which only the windows somebody looks at travel here. */
export class TableData {
  readonly hash: TableHash;
  readonly columns: readonly Column[];
  readonly rows: number;
  sort = $state.raw<Sort | undefined>(undefined);
  profile = $state.raw<ReadonlyMap<string, ColumnProfile> | undefined>(undefined);
  problem = $state.raw<Problem | undefined>(undefined);
  /** Goes up when rows have arrived: what draws them reads it. */
  version = $state(0);

  #pages = new Map<string, RowWindow>();
  #loading = new Map<string, AbortController>();
  #decimals = new Map<string, number>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #wanted: ReadonlyMap<string, () => void> = new Map();
  #isProfiled = false;

  constructor(table: { hash: TableHash; columns: readonly Column[]; rows: number }) {
    this.hash = table.hash;
    this.columns = table.columns;
    this.rows = table.rows;
  }

  /** Asks for the rows and columns in view. Pages that have gone out of view before they came are not waited for. */
  want(firstRow: number, lastRow: number, firstColumn: number, lastColumn: number): void {
    const wanted = new Map<string, () => void>();
    for (let page = Math.floor(firstRow / pageRows); page * pageRows <= lastRow; page += 1) {
      for (let chunk = Math.floor(firstColumn / pageColumns); chunk * pageColumns <= lastColumn; chunk += 1) {
        wanted.set(this.#key(page, chunk), () => void this.#load(page, chunk));
      }
    }
    for (const [key, loading] of this.#loading) if (!wanted.has(key)) loading.abort();
    this.#wanted = wanted;
    if (this.#timer !== undefined) return;
    // The first page at once; while the thumb is dragged, what it passes at intervals.
    this.#timer = setTimeout(() => this.#loadWanted(), this.#pages.size === 0 ? 0 : 40);
  }

  /** A cell as it is written, or undefined while it is on its way. */
  text(row: number, column: number): CellText | undefined {
    const found = this.#find(row, column);
    if (!found) return undefined;
    const value = found.page.value(found.name, found.row);
    return cellText(value, found.page.type(found.name), this.#decimals.get(found.name) ?? 0);
  }

  /** A cell as another program reads it: no thousands separators, nothing for null. Undefined while it is on its way. */
  copyText(row: number, column: number): string | undefined {
    const found = this.#find(row, column);
    if (!found) return undefined;
    const value = found.page.value(found.name, found.row);
    if (value === null || value === undefined) return "";
    if (typeof value === "string" || typeof value === "number") return String(value);
    const type = found.page.type(found.name);
    return bareText(value, type);
  }

  sortBy(column: string): void {
    const { sort } = this;
    if (sort?.column !== column) this.sort = { column, descending: false };
    else this.sort = sort.descending ? undefined : { column, descending: true };
    this.#forget();
  }

  retry(): void {
    this.problem = undefined;
    this.#forget();
  }

  async loadProfile(): Promise<void> {
    if (this.#isProfiled || this.rows === 0) return;
    this.#isProfiled = true;
    try {
      const profile = await read(api.tables[":hash"].profile.$get({ param: { hash: this.hash }, query: {} }));
      this.profile = new Map(profile.columns.map((column) => [column.name, column]));
    } catch {
      // The rows are what was asked for; the shapes above them may stay away.
      this.#isProfiled = false;
    }
  }

  close(): void {
    clearTimeout(this.#timer);
    for (const loading of this.#loading.values()) loading.abort();
  }

  #find(row: number, column: number): { page: RowWindow; name: string; row: number } | undefined {
    void this.version;
    const pageIndex = Math.floor(row / pageRows);
    const page = this.#pages.get(this.#key(pageIndex, Math.floor(column / pageColumns)));
    const name = this.columns[column]?.name;
    if (!page || name === undefined) return undefined;
    return { page, name, row: row - pageIndex * pageRows };
  }

  #key(page: number, chunk: number): string {
    return `${this.sort?.column ?? ""}\0${this.sort?.descending ?? ""}\0${page}\0${chunk}`;
  }

  #loadWanted(): void {
    this.#timer = undefined;
    for (const [key, load] of this.#wanted) {
      if (!this.#pages.has(key) && !this.#loading.has(key)) load();
    }
  }

  async #load(page: number, chunk: number): Promise<void> {
    const key = this.#key(page, chunk);
    const cancel = new AbortController();
    this.#loading.set(key, cancel);
    try {
      const window = decodeWindow(await readBytes(this.#address(page, chunk), cancel.signal));
      this.#pages.set(key, window);
      this.#measure(window);
      for (const old of [...this.#pages.keys()].slice(0, -keptPages)) this.#pages.delete(old);
      this.problem = undefined;
      this.version += 1;
    } catch (error) {
      if (!isCancelled(error)) this.problem = problemOf(error);
    } finally {
      this.#loading.delete(key);
    }
  }

  #address(page: number, chunk: number): string {
    const query = new URLSearchParams({ offset: String(page * pageRows), limit: String(pageRows) });
    if (this.columns.length > pageColumns) {
      for (const { name } of this.columns.slice(chunk * pageColumns, (chunk + 1) * pageColumns)) {
        query.append("columns", name);
      }
    }
    if (this.sort) {
      query.set("sort", this.sort.column);
      query.set("descending", String(this.sort.descending));
    }
    return `/api/tables/${this.hash}/rows?${query}`;
  }

  #measure(window: RowWindow): void {
    for (const { name, type } of this.columns) {
      if (!isNumeric(type) || !window.has(name)) continue;
      let most = this.#decimals.get(name) ?? 0;
      for (let row = 0; row < window.rows; row += 1) most = Math.max(most, decimalsNeeded(window.value(name, row)));
      this.#decimals.set(name, most);
    }
  }

  #forget(): void {
    for (const loading of this.#loading.values()) loading.abort();
    this.#loading.clear();
    this.version += 1;
  }
}
