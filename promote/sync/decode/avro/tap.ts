import { isUtf8 } from "node:buffer";

/**
 * Reads Avro's binary encoding (Avro 1.12 specification, "Binary encoding"). Bytes are untrusted: what is cut short or claims more than
 * there is refuses, and reading goes on with zeros, so that a reader need not look after each value. The first refusal stays.
 */
export class Tap {
  private bytes: Buffer = Buffer.alloc(0);
  private at = 0;
  private depth = 0;
  private refusal: string | undefined;

  open(bytes: Uint8Array, from: number): void {
    this.bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = from;
    this.depth = 0;
    this.refusal = undefined;
  }

  /** What was refused, in words that continue "column `x` …"; undefined while all is well. */
  reason(): string | undefined {
    return this.refusal;
  }

  refuse(reason: string): null {
    this.refusal ??= reason;
    return null;
  }

  left(): number {
    return this.bytes.length - this.at;
  }

  boolean(): boolean {
    const byte = this.byte();
    if (byte > 1) this.refuse(`is the byte ${byte}, which is not an Avro boolean`);
    return byte === 1;
  }

  /** A zigzag number of up to 64 bits; a bigint only where a number would not be exact. */
  long(): number | bigint {
    let byte = this.byte();
    let low = byte & 0x7f;
    for (let shift = 7; byte > 127 && shift < 28; shift += 7) {
      byte = this.byte();
      low |= (byte & 0x7f) << shift;
    }
    if (byte < 128) return (low >>> 1) ^ -(low & 1);
    let middle = 0;
    for (let shift = 0; byte > 127 && shift < 28; shift += 7) {
      byte = this.byte();
      middle |= (byte & 0x7f) << shift;
    }
    if (byte < 128 && middle < 2 ** 25) {
      const n = middle * 2 ** 28 + low;
      return low & 1 ? -(n + 1) / 2 : n / 2;
    }
    return this.wideLong(BigInt(middle) * 2n ** 28n + BigInt(low), byte > 127);
  }

  private wideLong(first: bigint, goesOn: boolean): number | bigint {
    let n = first;
    if (goesOn) {
      const high = this.byte();
      const top = high > 127 ? this.byte() : 0;
      if (top > 1) this.refuse("is a number of more than 64 bits");
      n += BigInt((high & 0x7f) + top * 128) << 56n;
    }
    const value = BigInt.asIntN(64, (n >> 1n) ^ -(n & 1n));
    const near = Number(value);
    return Number.isSafeInteger(near) ? near : value;
  }

  float(): number {
    return this.take(4) ? this.bytes.readFloatLE(this.at - 4) : 0;
  }

  double(): number {
    return this.take(8) ? this.bytes.readDoubleLE(this.at - 8) : 0;
  }

  /** The bytes are shared with the record. */
  fixed(size: number): Buffer {
    return this.take(size) ? this.bytes.subarray(this.at - size, this.at) : EMPTY;
  }

  sized(): Buffer {
    return this.fixed(this.size());
  }

  text(): string {
    const size = this.size();
    if (!this.take(size)) return "";
    const from = this.at - size;
    const text = this.bytes.toString("utf8", from, this.at);
    if (text.includes("\uFFFD") && !isUtf8(this.bytes.subarray(from, this.at)))
      this.refuse("is not UTF-8 text");
    return text;
  }

  /** The place of a symbol or branch among `count`. */
  index(count: number): number {
    const index = this.long();
    if (typeof index === "number" && index >= 0 && index < count) return index;
    this.refuse(`names choice ${index} of ${count}`);
    return 0;
  }

  /** Calls `item` for each item of an array or map, all blocks of it. */
  blocks(item: () => void): void {
    for (;;) {
      let count = this.count();
      if (count < 0) {
        count = -count;
        this.long();
      }
      if (count === 0) return;
      if (count > this.left()) {
        this.refuse(`holds ${count} items by its own count, more than the record has bytes`);
        return;
      }
      for (; count > 0 && this.refusal === undefined; count--) item();
      if (this.refusal !== undefined) return;
    }
  }

  /** As `blocks`, where nothing is wanted of them: a block that gives its length is stepped over. */
  skipBlocks(item: () => void): void {
    for (;;) {
      const count = this.count();
      if (count === 0) return;
      if (count < 0) this.skip(this.size());
      else if (count > this.left()) {
        this.refuse(`holds ${count} items by its own count, more than the record has bytes`);
        return;
      } else for (let i = 0; i < count && this.refusal === undefined; i++) item();
      if (this.refusal !== undefined) return;
    }
  }

  skip(size: number): void {
    this.take(size);
  }

  /** Runs `body` one level deeper: a type may hold itself, and bytes that go on for ever must not fill the stack. */
  deeper(body: () => void): void {
    if (this.depth >= MOST_DEPTH) {
      this.refuse(`is nested deeper than ${MOST_DEPTH} levels`);
      return;
    }
    this.depth++;
    body();
    this.depth--;
  }

  size(): number {
    const size = this.count();
    if (size >= 0) return size;
    this.refuse(`has the length ${size}`);
    return 0;
  }

  private count(): number {
    const count = this.long();
    if (typeof count === "number") return count;
    this.refuse(`has the length ${count}`);
    return 0;
  }

  private byte(): number {
    const byte = this.bytes[this.at++];
    return byte === undefined ? this.short() : byte;
  }

  private take(size: number): boolean {
    this.at += size;
    if (this.at <= this.bytes.length) return true;
    this.short();
    return false;
  }

  private short(): number {
    this.at = this.bytes.length;
    this.refuse("ends before its value does");
    return 0;
  }
}

const EMPTY = Buffer.alloc(0);
const MOST_DEPTH = 64;
