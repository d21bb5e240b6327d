/** What a ledger knows a row by that lies under no identity. Identities are JSON arrays, so that the two never meet. */
export function strayKey(document: string): string {
  return JSON.stringify({ document });
}

/** The document, of a stray's key; undefined for an identity. */
export function strayOf(key: string): string | undefined {
  const { document }: { document?: unknown } = Object(JSON.parse(key)); // JSON.parse of a ledger's own key
  return typeof document === "string" ? document : undefined;
}
