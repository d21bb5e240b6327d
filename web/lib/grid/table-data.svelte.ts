import type { Column, TableHash } from "#snapshots/table.ts";
import type { Problem } from "#snapshots/problem.ts";
import { api, problemOf, read } from "../client.ts";
import type { RowWindow } from "./arrow.ts";
import { bareText, cellText, decimalsNeeded, isNumeric, type CellText } from "./cell-text.ts";
import type { ColumnProfile } from "./profile.ts";
import { pageColumns, pageRows, RowPages, type Place, type View } from "./row-pages.ts";

export type Sort = { column: string; descending: boolean };

/** One table of the content store, of which only the windows somebody looks at travel here. */
export class TableData {
  readonly hash: TableHash;
  readonly columns: readonly Column[];
  readonly rows: number;
  sort = $state.raw<Sort | undefined>(undefined);
  profile = $state.raw<Readonly<Record<string, ColumnProfile | undefined>>>({});
  problem = $state.raw<Problem | undefined>(undefined);
  /** Goes up when rows have arrived: what draws them reads it. */
  version = $state(0);

  readonly #pages: RowPages;
  #decimals: Record<string, number> = {};
  #isProfiled = false;

  constructor(table: { hash: TableHash; columns: readonly Column[]; rows: number }) {
    this.hash = table.hash;
    this.columns = table.columns;
    this.rows = table.rows;
    this.#pages = new RowPages(
      (place) => this.#address(place),
      (window) => this.#arrived(window),
      (error) => {
        this.problem = problemOf(error);
      },
    );
  }

  /** Asks for the rows and columns in view. */
  want(view: View): void {
    this.#pages.want(view, this.#order());
  }

  /** A cell as it is written, or undefined while it is on its way. */
  text(row: number, column: number): CellText | undefined {
    const found = this.#find(row, column);
    return found && cellText(found.value, found.type, this.#decimals[found.name] ?? 0);
  }

  /** A cell as another program reads it: no thousands separators, nothing for null. Undefined while it is on its way. */
  copyText(row: number, column: number): string | undefined {
    const found = this.#find(row, column);
    if (!found) return undefined;
    if (found.value === null || found.value === undefined) return "";
    if (typeof found.value === "string" || typeof found.value === "number")
      return String(found.value);
    return bareText(found.value, found.type);
  }

  sortBy(column: string): void {
    const { sort } = this;
    if (sort?.column !== column) this.sort = { column, descending: false };
    else this.sort = sort.descending ? undefined : { column, descending: true };
  }

  retry(): void {
    this.problem = undefined;
    this.version += 1;
  }

  async loadProfile(): Promise<void> {
    if (this.#isProfiled || this.rows === 0) return;
    this.#isProfiled = true;
    try {
      const profile = await read(
        api.tables[":hash"].profile.$get({ param: { hash: this.hash }, query: {} }),
      );
      this.profile = Object.fromEntries(profile.columns.map((column) => [column.name, column]));
    } catch {
      // The rows are what was asked for; the shapes above them may stay away.
      this.#isProfiled = false;
    }
  }

  close(): void {
    this.#pages.close();
  }

  #find(row: number, column: number) {
    void this.version;
    const name = this.columns[column]?.name;
    const found = this.#pages.get(row, column, this.#order());
    if (!found || name === undefined) return undefined;
    return { name, value: found.window.value(name, found.row), type: found.window.type(name) };
  }

  #order(): string {
    return this.sort ? `${this.sort.descending} ${this.sort.column}` : "";
  }

  #address({ page, chunk }: Place): string {
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

  /** Floats of a column line up at the point: the digits the widest of them needs. */
  #arrived(window: RowWindow): void {
    for (const { name, type } of this.columns) {
      if (!isNumeric(type) || !window.has(name)) continue;
      let most = this.#decimals[name] ?? 0;
      for (let row = 0; row < window.rows; row += 1)
        most = Math.max(most, decimalsNeeded(window.value(name, row)));
      this.#decimals[name] = most;
    }
    this.problem = undefined;
    this.version += 1;
  }
}
