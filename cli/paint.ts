import { styleText } from "node:util";

type Colour = "red" | "green" | "yellow" | "cyan" | "bold" | "dim";

/** Colour on a terminal; plain text in a pipe and where NO_COLOR is set. */
export function paint(
  colour: Colour,
  text: string,
  stream: NodeJS.WriteStream = process.stdout,
): string {
  if (process.env["NO_COLOR"] || !stream.isTTY) return text;
  return styleText(colour, text, { validateStream: false });
}

export function count(value: number): string {
  return value.toLocaleString("en-US");
}

/** `1 row`, `2 rows`. */
export function counted(value: number, noun: string): string {
  return `${count(value)} ${noun}${value === 1 ? "" : "s"}`;
}

export function bytes(value: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let step = 0;
  let rest = value;
  while (rest >= 1000 && step < units.length - 1) {
    rest /= 1000;
    step += 1;
  }
  return `${step === 0 || rest >= 100 ? Math.round(rest) : rest.toFixed(1)} ${units[step]}`;
}

export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  return `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`;
}
