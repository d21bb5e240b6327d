import { createHash, randomBytes, timingSafeEqual } from "node:crypto";

/** The key to one run of the server: 256 random bits, as text that needs no escaping in an address. */
export function newToken(): string {
  return randomBytes(32).toString("base64url");
}

/** Takes as long for a near miss as for a far one, whatever the lengths. */
export function isSameToken(given: string, token: string): boolean {
  return timingSafeEqual(digest(given), digest(token));
}

/** Cookies do not tell ports apart: two servers on one machine need two names. */
export function cookieName(port: number): string {
  return `penstock-${port}`;
}

/** Every value the header gives a cookie of this name: another path or program may have set one beside ours. */
export function cookieValues(header: string | undefined, name: string): string[] {
  return (header ?? "").split(";").flatMap((pair) => {
    const at = pair.indexOf("=");
    return at > 0 && pair.slice(0, at).trim() === name ? [pair.slice(at + 1).trim()] : [];
  });
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
