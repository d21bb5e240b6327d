/* oxlint-disable typescript/unbound-method -- intrinsics are taken before user code runs, and called with their `this` */
/** The part of Deno that a guest's bootstrap uses. User code sees none of it. */
type Deno = {
  stdin: {
    readSync(into: Uint8Array): number | null;
    read(into: Uint8Array): Promise<number | null>;
  };
  stdout: { writeSync(bytes: Uint8Array): number };
  exit(code: number): never;
};

export type TakenDeno = {
  /** Bytes read, or null at the end: the host is gone. Blocks. */
  read(into: Uint8Array): number | null;
  readLater(into: Uint8Array): Promise<number | null>;
  write(bytes: Uint8Array): void;
  exit(code: number): never;
};

/** Takes Deno out of the global object's reach and answers with what the guest needs of it. */
export function takeDeno(): TakenDeno {
  const { Deno: deno } = globalThis as unknown as { Deno: Deno };
  const { stdin, stdout, exit } = deno;
  return {
    read: (into) => stdin.readSync(into),
    readLater: (into) => stdin.read(into),
    write: (bytes) => {
      for (let at = 0; at < bytes.byteLength;) at += stdout.writeSync(bytes.subarray(at));
    },
    exit: (code) => exit.call(deno, code),
  };
}
