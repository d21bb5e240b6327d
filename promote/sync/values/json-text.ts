/**
 * JSON text growing in one buffer, as UTF-8. What is written goes from bytes to bytes: no string is made of a text, and a whole number
 * becomes digits by arithmetic. `reset` starts the next text in the same buffer.
 */
export class JsonText {
  #bytes: Buffer;
  #length = 0;

  constructor(capacity = 1 << 16) {
    this.#bytes = Buffer.allocUnsafeSlow(capacity);
  }

  get length(): number {
    return this.#length;
  }

  /** Bytes it holds without growing. */
  get capacity(): number {
    return this.#bytes.length;
  }

  /** A view: valid until the next write. */
  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Forgets what comes after `length`. */
  reset(length = 0): void {
    this.#length = length;
  }

  byte(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
  }

  /** Bytes as they are: pieces of JSON made before. */
  raw(bytes: Uint8Array): void {
    const { length } = bytes;
    this.#reserve(length);
    if (length > 48) this.#bytes.set(bytes, this.#length);
    else {
      const target = this.#bytes;
      const at = this.#length;
      for (let i = 0; i < length; i++) target[at + i] = bytes[i] ?? 0;
    }
    this.#length += length;
  }

  /** Text known to need neither escapes nor more than one byte a character. */
  ascii(text: string): void {
    const { length } = text;
    this.#reserve(length);
    const target = this.#bytes;
    const at = this.#length;
    for (let i = 0; i < length; i++) target[at + i] = text.charCodeAt(i);
    this.#length += length;
  }

  /** The inside of a JSON string: UTF-8 `data[from..to)` with what JSON forbids escaped. */
  escaped(data: Uint8Array, from: number, to: number): void {
    this.#reserve(to - from > 4096 ? to - from + escapesIn(data, from, to) * 5 : (to - from) * 6);
    const target = this.#bytes;
    let at = this.#length;
    for (let i = from; i < to; i++) {
      const byte = data[i] ?? 0;
      if (byte >= 0x20 && byte !== 0x22 && byte !== 0x5c) target[at++] = byte;
      else at = escape(byte, target, at);
    }
    this.#length = at;
  }

  /** A whole number within ±2^53. */
  integer(value: number): void {
    this.#reserve(17);
    let rest = value;
    if (rest < 0) {
      this.#bytes[this.#length++] = 0x2d;
      rest = -rest;
    }
    if (rest < 1e9) {
      this.#digits(rest, digitsIn(rest));
      return;
    }
    const high = Math.floor(rest / 1e9);
    this.#digits(high, digitsIn(high));
    this.#digits(rest - high * 1e9, 9);
  }

  /** `value` below 10^9 in exactly `count` digits. */
  digits(value: number, count: number): void {
    this.#reserve(count);
    this.#digits(value, count);
  }

  #digits(value: number, count: number): void {
    const target = this.#bytes;
    let rest = value | 0;
    for (let at = this.#length + count - 1; at >= this.#length; at--) {
      const next = (rest / 10) | 0;
      target[at] = 48 + rest - next * 10;
      rest = next;
    }
    this.#length += count;
  }

  #reserve(size: number): void {
    if (this.#length + size <= this.#bytes.length) return;
    const bigger = Buffer.allocUnsafeSlow(Math.max(this.#length + size, this.#bytes.length * 2));
    bigger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = bigger;
  }
}

function escapesIn(data: Uint8Array, from: number, to: number): number {
  let count = 0;
  for (let i = from; i < to; i++) {
    const byte = data[i] ?? 0;
    if (byte < 0x20 || byte === 0x22 || byte === 0x5c) count++;
  }
  return count;
}

/** Of a number below 10^9. */
function digitsIn(value: number): number {
  if (value < 10) return 1;
  if (value < 100) return 2;
  if (value < 1000) return 3;
  if (value < 10_000) return 4;
  if (value < 100_000) return 5;
  if (value < 1_000_000) return 6;
  if (value < 10_000_000) return 7;
  return value < 100_000_000 ? 8 : 9;
}

const SHORT: Record<number, number> = {
  0x08: 0x62,
  0x09: 0x74,
  0x0a: 0x6e,
  0x0c: 0x66,
  0x0d: 0x72,
  0x22: 0x22,
  0x5c: 0x5c,
};
const HEX = Buffer.from("0123456789abcdef");

function escape(byte: number, target: Uint8Array, at: number): number {
  target[at] = 0x5c;
  const short = SHORT[byte];
  if (short !== undefined) {
    target[at + 1] = short;
    return at + 2;
  }
  target[at + 1] = 0x75;
  target[at + 2] = 0x30;
  target[at + 3] = 0x30;
  target[at + 4] = HEX[byte >> 4] ?? 0;
  target[at + 5] = HEX[byte & 15] ?? 0;
  return at + 6;
}
