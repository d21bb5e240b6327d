import { gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { compressFrameSync, decompressFrameSync } from "lz4-napi";
import { compressSync, uncompressSync } from "snappy";

export type Compression = "none" | "gzip" | "snappy" | "lz4" | "zstd";

type Codec = { compress(bytes: Buffer): Buffer; decompress(bytes: Buffer): Buffer };

/** Codecs by the number a record batch's attributes give them. */
const CODECS: readonly (Codec & { name: Compression })[] = [
  { name: "none", compress: (bytes) => bytes, decompress: (bytes) => bytes },
  { name: "gzip", compress: (bytes) => gzipSync(bytes, { level: 1 }), decompress: gunzipSync },
  { name: "snappy", compress: (bytes) => compressSync(bytes), decompress: unsnap },
  { name: "lz4", compress: (bytes) => compressFrameSync(bytes), decompress: decompressFrameSync },
  { name: "zstd", compress: (bytes) => zstdCompressSync(bytes), decompress: zstdDecompressSync },
];

export function codecNumber(name: Compression): number {
  return CODECS.findIndex((codec) => codec.name === name);
}

export function compress(name: Compression, bytes: Buffer): Buffer {
  return CODECS[codecNumber(name)]?.compress(bytes) ?? bytes;
}

/** undefined: a codec that is not Kafka's. */
export function decompress(number: number, bytes: Buffer): Buffer | undefined {
  return CODECS[number]?.decompress(bytes);
}

/** Java's producers write snappy in xerial's framing (a magic, two versions, then length and block each); others write one raw block. */
const XERIAL = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
const XERIAL_HEAD = 16;

function unsnap(bytes: Buffer): Buffer {
  if (!bytes.subarray(0, XERIAL.length).equals(XERIAL)) return unsnapBlock(bytes);
  const blocks: Buffer[] = [];
  for (let at = XERIAL_HEAD; at + 4 <= bytes.length;) {
    const length = bytes.readInt32BE(at);
    blocks.push(unsnapBlock(bytes.subarray(at + 4, at + 4 + length)));
    at += 4 + length;
  }
  return Buffer.concat(blocks);
}

function unsnapBlock(bytes: Buffer): Buffer {
  const plain = uncompressSync(bytes, { asBuffer: true });
  return typeof plain === "string" ? Buffer.from(plain) : plain;
}
