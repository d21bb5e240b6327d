/** Codes of Node and OpenSSL: a certificate that is not trusted, has expired or names another host; a server that does not speak TLS; a file that is no certificate. */
const CODES = /CERT|^ERR_(TLS|SSL|OSSL)|^EPROTO$|^UNABLE_TO_|^INVALID_(CA|PURPOSE)$/;

/** The same in their words, for clients that hand on nothing else. They begin a message, so that no host or topic called so is taken for them. */
const WORDS =
  /^(?:self.signed certificate|unable to (?:get|verify) |certificate |Hostname\/IP does not match|.*\berror:[0-9A-F]{8}:)/;

/**
 * Whether an error says that two sides do not come to terms over TLS, which no waiting cures. A connection that ends during the handshake
 * does not: a server that stops or starts does that.
 */
export function isTlsRefusal(cause: unknown): boolean {
  if (!(cause instanceof Error)) return false;
  const code: unknown = "code" in cause ? cause.code : undefined;
  return typeof code === "string" ? CODES.test(code) : WORDS.test(cause.message);
}
