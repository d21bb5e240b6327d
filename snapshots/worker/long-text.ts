import duckdb from "@duckdb/node-bindings";

/** Two addresses this close share a page or lie on neighbouring ones, so that the bytes between them can be read too. */
const pageBytes = 4096;
const mostBytesAtOnce = 1 << 26;

/**
 * Fetches the texts longer than 12 bytes that DuckDB's 16-byte views point at, joined in row order, and zeroes the
 * pointers in `words` (four 32-bit words a view). DuckDB lays the texts of a chunk side by side, in some order, so
 * neighbouring ones are read together: a call per stretch, not per text.
 */
export function readLongTexts(words: Uint32Array): Uint8Array {
  const rows: number[] = [];
  let total = 0;
  for (let i = 0; i < words.length; i += 4) {
    const length = words[i] ?? 0;
    if (length <= 12) continue;
    rows.push(i);
    total += length;
  }
  const joined = new Uint8Array(total);
  if (rows.length === 0) return joined;
  const address = (i: number) => (words[i + 3] ?? 0) * 2 ** 32 + (words[i + 2] ?? 0);
  const addresses = Float64Array.from(rows, address);
  const targets = new Float64Array(rows.length);
  for (let k = 0, at = 0; k < rows.length; k += 1) {
    targets[k] = at;
    at += words[rows[k] ?? 0] ?? 0;
  }
  const order = byAddress(addresses);
  const lengthOf = (k: number) => words[rows[k] ?? 0] ?? 0;

  let first = 0;
  while (first < order.length) {
    const start = addresses[order[first] ?? 0] ?? 0;
    let end = start + lengthOf(order[first] ?? 0);
    let last = first + 1;
    for (; last < order.length; last += 1) {
      const k = order[last] ?? 0;
      const next = addresses[k] ?? 0;
      const nextEnd = next + lengthOf(k);
      if (next - end >= pageBytes || nextEnd - start > mostBytesAtOnce) break;
      end = Math.max(end, nextEnd);
    }
    const stretch = readMemory(start, end - start);
    for (let o = first; o < last; o += 1) {
      const k = order[o] ?? 0;
      const from = (addresses[k] ?? 0) - start;
      joined.set(stretch.subarray(from, from + lengthOf(k)), targets[k]);
    }
    first = last;
  }
  for (const i of rows) words.fill(0, i + 2, i + 4);
  return joined;
}

function byAddress(addresses: Float64Array): Uint32Array {
  const order = Uint32Array.from(addresses, (_, index) => index);
  for (let k = 1; k < addresses.length; k += 1) {
    if ((addresses[k] ?? 0) < (addresses[k - 1] ?? 0)) {
      return order.toSorted((a, b) => (addresses[a] ?? 0) - (addresses[b] ?? 0));
    }
  }
  return order;
}

const pointer = new Uint32Array(2);

function readMemory(address: number, byteCount: number): Uint8Array {
  pointer[0] = address % 2 ** 32;
  pointer[1] = Math.floor(address / 2 ** 32);
  return duckdb.get_data_from_pointer(pointer.buffer, 0, byteCount);
}
