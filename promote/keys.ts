import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  sign,
  verify,
  type KeyObject,
} from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { personFileName } from "./person.ts";

/**
 * A person's Ed25519 key. The private half stays on this machine (mode 600, ignored by Git); the public half is a line
 * in `people/NAME.pub`, committed, so that anybody can verify. A second machine adds a second line.
 */
export type SigningKey = { publicKey: string; sign(text: string): string };

/** Path of somebody's public keys in the workspace. */
export function publicKeysPath(name: string): string {
  return `people/${personFileName(name)}.pub`;
}

/** The person's key on this machine; made the first time it is needed. */
export function openSigningKey(keysFolder: string, name: string): SigningKey {
  const file = join(keysFolder, `${personFileName(name)}.pem`);
  if (!existsSync(file)) makeKey(keysFolder, file);
  const key = createPrivateKey(readFileSync(file));
  return {
    publicKey: publicText(createPublicKey(key)),
    sign: (text) => sign(null, Buffer.from(text), key).toString("base64"),
  };
}

/** `people/NAME.pub` with this key in it; the same text when it is there already. */
export function withPublicKey(text: string | undefined, name: string, publicKey: string): string {
  const before = text ?? `# ${name}: keys that sign this person's approvals, one a line.\n`;
  return publicKeysIn(before).includes(publicKey)
    ? before
    : `${before.trimEnd()}\ned25519 ${publicKey}\n`;
}

export function publicKeysIn(text: string): string[] {
  return text.split("\n").flatMap((line) => /^ed25519 ([A-Za-z0-9+/=]+)\s*$/.exec(line)?.[1] ?? []);
}

/** Whether `publicKey` (base64 of its SPKI form) made this signature over the text. */
export function isSignedBy(publicKey: string, text: string, signature: string): boolean {
  try {
    const key = createPublicKey({
      key: Buffer.from(publicKey, "base64"),
      format: "der",
      type: "spki",
    });
    return verify(null, Buffer.from(text), key, Buffer.from(signature, "base64"));
  } catch {
    // Not a key, or not one of this kind: it has signed nothing.
    return false;
  }
}

function makeKey(folder: string, file: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  chmodSync(folder, 0o700);
  const { privateKey } = generateKeyPairSync("ed25519");
  const temporary = `${file}.${process.pid}`;
  writeFileSync(temporary, privateKey.export({ format: "pem", type: "pkcs8" }), { mode: 0o600 });
  renameSync(temporary, file);
}

function publicText(key: KeyObject): string {
  return key.export({ format: "der", type: "spki" }).toString("base64");
}
