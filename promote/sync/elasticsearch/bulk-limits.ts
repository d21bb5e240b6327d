import type { Sent } from "./bulk-send.ts";

/** How large a request grows. `bytes` shrinks for good when the server finds requests too large (413). */
export type BulkLimits = { bytes: number; count: number };

/** `signal` gives the request up. */
export type SendBody = (body: Buffer, count: number, signal?: AbortSignal) => Promise<Sent>;

const SMALLEST_BYTES = 64 << 10;

export const usualLimits = (): BulkLimits => ({ bytes: 5 << 20, count: 4000 });

/** A request of this size was too large. */
export function shrink(limits: BulkLimits, refusedBytes: number): void {
  limits.bytes = Math.min(limits.bytes, Math.max(SMALLEST_BYTES, Math.ceil(refusedBytes / 2)));
}
