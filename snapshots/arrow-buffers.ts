/** Arrow's buffers for one column of one record batch; the same shape flechette writes from and reads to. */
export type ArrowBuffers = {
  length: number;
  nullCount: number;
  validity: Uint8Array;
  values?: Uint8Array;
  offsets?: Uint8Array;
  children?: ArrowBuffers[];
};

/** A validity bitmap that costs nothing until the first NULL. */
export class ValidityBuilder {
  nullCount = 0;
  private bits: Uint8Array | null = null;
  private length = 0;

  /** `bits`: 1 = valid; null when all are. */
  append(bits: Uint8Array | null, nulls: number, rows: number): void {
    if (nulls > 0 && bits !== null) {
      const own = this.reserve(this.length + rows);
      for (let i = 0; i < rows; i += 1) {
        if ((bits[i >> 3] ?? 0) & (1 << (i & 7))) continue;
        const at = this.length + i;
        own[at >> 3] = (own[at >> 3] ?? 0) & ~(1 << (at & 7));
      }
      this.nullCount += nulls;
    }
    this.length += rows;
  }

  finish(): Uint8Array {
    return this.bits === null
      ? new Uint8Array(0)
      : this.reserve(this.length).slice(0, Math.ceil(this.length / 8));
  }

  private reserve(rows: number): Uint8Array {
    const needed = Math.ceil(rows / 8);
    const old = this.bits;
    if (old !== null && old.length >= needed) return old;
    const grown = new Uint8Array(Math.max(needed, (old?.length ?? 0) * 2)).fill(255);
    if (old !== null) grown.set(old);
    this.bits = grown;
    return grown;
  }
}

/** Bytes that grow at their end. */
export class ByteBuilder {
  bytes: Uint8Array<ArrayBuffer>;
  length = 0;

  constructor(capacity: number) {
    this.bytes = new Uint8Array(capacity);
  }

  append(data: Uint8Array): void {
    this.reserve(data.length);
    this.bytes.set(data, this.length);
    this.length += data.length;
  }

  /** Makes room for `more` bytes after `length`; the caller writes them and moves `length`. */
  reserve(more: number): Uint8Array<ArrayBuffer> {
    const needed = this.length + more;
    if (needed > this.bytes.length) {
      const grown = new Uint8Array(Math.max(needed, this.bytes.length * 2));
      grown.set(this.bytes.subarray(0, this.length));
      this.bytes = grown;
    }
    return this.bytes;
  }

  finish(): Uint8Array<ArrayBuffer> {
    return this.bytes.subarray(0, this.length);
  }
}
