/**
 * Frames between host and guest: u32 length of the header, u32 length of the payload (little endian), JSON header, payload.
 * One text for both sides. Header and payload are filled into buffers of their own, so that a payload of Arrow is aligned.
 */
export type Frame = { header: Uint8Array; payload: Uint8Array };

export type FrameLimits = { headerBytes: number; payloadBytes: number };

export function encodeFrame(header: Uint8Array, payloads: readonly Uint8Array[]): Uint8Array[] {
  const head = new Uint8Array(8 + header.byteLength);
  const view = new DataView(head.buffer);
  view.setUint32(0, header.byteLength, true);
  view.setUint32(
    4,
    payloads.reduce((sum, payload) => sum + payload.byteLength, 0),
    true,
  );
  head.set(header, 8);
  return [head, ...payloads];
}

/**
 * Assembles frames without copying twice: the caller fills `want()` (or a beginning of it) and says how much with `filled()`,
 * which answers with the frame when it is whole. Lengths beyond the limits throw a RangeError: the stream is garbage.
 */
export function frameAssembler(limits: FrameLimits): {
  want(): Uint8Array;
  filled(bytes: number): Frame | undefined;
} {
  const lengths = new Uint8Array(8);
  const view = new DataView(lengths.buffer);
  let parts = [lengths];
  let part = 0;
  let at = 0;

  function settle(): Frame | undefined {
    while (at === parts[part]?.byteLength) {
      at = 0;
      if (part === 0) parts = [lengths, ...allocate()];
      if (part < 2) {
        part += 1;
        continue;
      }
      const [, header = lengths, payload = lengths] = parts;
      parts = [lengths];
      part = 0;
      return { header, payload };
    }
    return undefined;
  }

  function allocate(): Uint8Array<ArrayBuffer>[] {
    const headerBytes = view.getUint32(0, true);
    const payloadBytes = view.getUint32(4, true);
    if (headerBytes > limits.headerBytes || payloadBytes > limits.payloadBytes) {
      throw new RangeError(`a frame of ${headerBytes} + ${payloadBytes} bytes`);
    }
    return [new Uint8Array(headerBytes), new Uint8Array(payloadBytes)];
  }

  return {
    want: () => (parts[part] ?? lengths).subarray(at),
    filled(bytes) {
      at += bytes;
      return settle();
    },
  };
}
