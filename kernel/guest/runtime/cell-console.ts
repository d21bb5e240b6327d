import { inspect } from "./inspect.ts";

export type Line = { stream: "stdout" | "stderr"; text: string };

const nothing = (): void => undefined;
const mostCharacters = 65_536;

/** The `console` of cells: lines go to `tell`, bounded per cell. `reset` when a cell begins. */
export function cellConsole(tell: (line: Line | { truncated: true }) => void): {
  console: Readonly<Record<string, (...args: unknown[]) => void>>;
  reset(): void;
} {
  let left = mostCharacters;
  const counts = new Map<string, number>();

  function write(stream: Line["stream"], args: unknown[]): void {
    if (left <= 0) return;
    const text = args.map((arg) => inspect(arg)).join(" ");
    left -= text.length + 1;
    tell({ stream, text: left < 0 ? text.slice(0, left) : text });
    if (left <= 0) tell({ truncated: true });
  }
  const out = (...args: unknown[]): void => write("stdout", args);
  const err = (...args: unknown[]): void => write("stderr", args);
  return {
    console: Object.freeze({
      log: out,
      info: out,
      debug: out,
      dir: (value: unknown) => out(value),
      table: (value: unknown) => out(value),
      group: out,
      groupCollapsed: out,
      warn: err,
      error: err,
      trace: err,
      assert: (isTrue: unknown, ...args: unknown[]) =>
        isTrue ? undefined : err("Assertion failed:", ...args),
      count: (label = "default") => {
        const key = String(label);
        counts.set(key, (counts.get(key) ?? 0) + 1);
        out(`${key}: ${counts.get(key)}`);
      },
      countReset: (label = "default") => counts.delete(String(label)),
      groupEnd: nothing,
      time: nothing,
      timeEnd: nothing,
      timeLog: nothing,
      clear: nothing,
    }),
    reset() {
      left = mostCharacters;
      counts.clear();
    },
  };
}
