import { DuckDBInstance } from "@duckdb/node-api";
import { quoteText } from "#snapshots/types.ts";

export type Flight = {
  id: number;
  date: string;
  delay: number;
  distance: number;
  origin: string;
  destination: string;
};

/** The flights of a Parquet file from a date on, by number, read a page at a time. */
export type Flights = {
  total: number;
  /** All of these must lie within a few pages of each other. Those beyond the end are left out. */
  get(numbers: readonly number[]): Promise<Map<number, Flight>>;
  close(): void;
};

const PAGE = 8192;
const PAGES_KEPT = 4;

/** `path` is sorted by date, as the demo's file is; a flight's id is its row number in the file. */
export async function openFlights(path: string, from: string): Promise<Flights> {
  const instance = await DuckDBInstance.create(":memory:", { threads: "1", memory_limit: "128MB" });
  const connection = await instance.connect();
  const file = `read_parquet(${quoteText(path)}, file_row_number = true)`;
  const bounds = await connection.runAndReadAll(
    `select min(file_row_number), max(file_row_number) + 1 from ${file} where date >= timestamp ${quoteText(from)}`,
  );
  const [first = 0, end = 0] = (bounds.getRows()[0] ?? []).map(Number);
  const pages = new Map<number, Flight[]>();

  async function page(number: number): Promise<Flight[]> {
    const known = pages.get(number);
    if (known !== undefined) return known;
    const start = first + number * PAGE;
    const reader = await connection.runAndReadAll(
      `select file_row_number, strftime(date, '%Y-%m-%dT%H:%M:%S'), delay, distance, origin, destination from ${file}
       where file_row_number >= ${start} and file_row_number < ${Math.min(end, start + PAGE)} order by file_row_number`,
    );
    const flights = reader
      .getRows()
      .map(([id, date, delay, distance, origin, destination]): Flight => ({
        id: Number(id),
        date: String(date),
        delay: Number(delay),
        distance: Number(distance),
        origin: String(origin),
        destination: String(destination),
      }));
    pages.set(number, flights);
    const oldest = pages.keys().next().value;
    if (pages.size > PAGES_KEPT && oldest !== undefined) pages.delete(oldest);
    return flights;
  }

  return {
    total: end - first,
    async get(numbers) {
      const found = new Map<number, Flight>();
      for (const number of [...new Set(numbers)].toSorted((a, b) => a - b)) {
        const flight =
          number < end - first ? (await page(Math.floor(number / PAGE)))[number % PAGE] : undefined;
        if (flight !== undefined) found.set(number, flight);
      }
      return found;
    },
    close() {
      connection.closeSync();
      instance.closeSync();
    },
  };
}
