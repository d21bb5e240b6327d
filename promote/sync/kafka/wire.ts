/**
 * Kafka's flexible wire format (KIP-482), big-endian: lengths are unsigned varints one too high (0 is null), and every structure ends in tagged
 * fields, of which none is sent and all are skipped. https://kafka.apache.org/protocol
 */
export class WireReader {
  readonly bytes: Buffer;
  at: number;

  constructor(bytes: Buffer, at = 0) {
    this.bytes = bytes;
    this.at = at;
  }

  int8(): number {
    return this.bytes.readInt8(this.at++);
  }

  int16(): number {
    this.at += 2;
    return this.bytes.readInt16BE(this.at - 2);
  }

  int32(): number {
    this.at += 4;
    return this.bytes.readInt32BE(this.at - 4);
  }

  /** Exact up to 2^53, as offsets and times are. */
  int64(): number {
    this.at += 8;
    return this.bytes.readInt32BE(this.at - 8) * 0x100000000 + this.bytes.readUInt32BE(this.at - 4);
  }

  unsigned(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.bytes.readUInt8(this.at++);
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw new RangeError("a varint is longer than five bytes");
  }

  text(): string {
    return this.data()?.toString("utf8") ?? "";
  }

  data(): Buffer | null {
    const length = this.unsigned() - 1;
    if (length < 0) return null;
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  uuid(): string {
    this.at += 16;
    const hex = this.bytes.toString("hex", this.at - 16, this.at);
    return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
  }

  list<T>(item: () => T): T[] {
    const count = Math.max(0, this.unsigned() - 1);
    return Array.from({ length: count }, item);
  }

  tags(): void {
    for (let count = this.unsigned(); count > 0; count--) {
      this.unsigned();
      this.at += this.unsigned();
    }
  }
}

/** Grows as it is written. */
export class WireWriter {
  private bytes = Buffer.allocUnsafe(512);
  private at = 0;

  private room(size: number): number {
    if (this.at + size > this.bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(this.bytes.length * 2, this.at + size));
      this.bytes.copy(larger, 0, 0, this.at);
      this.bytes = larger;
    }
    this.at += size;
    return this.at - size;
  }

  int8(value: number): this {
    const at = this.room(1);
    this.bytes.writeInt8(value, at);
    return this;
  }

  int16(value: number): this {
    const at = this.room(2);
    this.bytes.writeInt16BE(value, at);
    return this;
  }

  int32(value: number): this {
    const at = this.room(4);
    this.bytes.writeInt32BE(value, at);
    return this;
  }

  int64(value: number): this {
    const at = this.room(8);
    this.bytes.writeBigInt64BE(BigInt(value), at);
    return this;
  }

  unsigned(value: number): this {
    let rest = value;
    for (; rest >= 0x80; rest = Math.floor(rest / 128)) this.int8(((rest % 128) | 0x80) - 256);
    return this.int8(rest);
  }

  text(value: string | null): this {
    return this.data(value === null ? null : Buffer.from(value));
  }

  data(value: Uint8Array | null): this {
    if (value === null) return this.unsigned(0);
    this.unsigned(value.length + 1);
    const at = this.room(value.length);
    this.bytes.set(value, at);
    return this;
  }

  uuid(value: string): this {
    const at = this.room(16);
    this.bytes.write(value.replaceAll("-", ""), at, "hex");
    return this;
  }

  list<T>(items: readonly T[] | null, item: (value: T) => void): this {
    this.unsigned(items === null ? 0 : items.length + 1);
    items?.forEach(item);
    return this;
  }

  tags(): this {
    return this.unsigned(0);
  }

  finished(): Buffer {
    return this.bytes.subarray(0, this.at);
  }
}
