import { paint } from "./paint.ts";

export type Progress = {
  /** `fraction` from 0 to 1 where it is known. */
  show(step: string, fraction?: number): void;
  /** The same, for what long work reports of itself. */
  step: (progress: { step?: string; fraction?: number }) => void;
  /** Takes the line away, so that what follows begins on a clean one. */
  end(): void;
};

const redrawMs = 80;

/**
 * What goes on, on stderr: one line that updates on a terminal, plain lines in a pipe (a step when it begins, then each
 * quarter of it). Nothing with `--json`.
 */
export function openProgress({ isSilent }: { isSilent: boolean }): Progress {
  const line = isSilent
    ? { show: () => {}, end: () => {} }
    : process.stderr.isTTY
      ? onTerminal(process.stderr)
      : inPipe(process.stderr);
  return {
    ...line,
    step: ({ step, fraction }) => {
      if (step !== undefined) line.show(step, fraction);
    },
  };
}

type Line = Pick<Progress, "show" | "end">;

function onTerminal(stream: NodeJS.WriteStream): Line {
  let drawnAt = 0;
  let isDrawn = false;
  return {
    show: (step, fraction) => {
      if (performance.now() - drawnAt < redrawMs) return;
      drawnAt = performance.now();
      isDrawn = true;
      const text =
        fraction === undefined ? `${step}…` : `${step}  ${bar(fraction)} ${percent(fraction)}`;
      stream.write(`\r\x1b[2K${paint("dim", text.slice(0, (stream.columns || 80) - 1), stream)}`);
    },
    end: () => {
      if (isDrawn) stream.write("\r\x1b[2K");
      isDrawn = false;
    },
  };
}

function inPipe(stream: NodeJS.WriteStream): Line {
  let last = { step: "", quarter: 0 };
  return {
    show: (step, fraction) => {
      const quarter = fraction === undefined ? 0 : Math.floor(fraction * 4);
      if (step === last.step && quarter <= last.quarter) return;
      stream.write(quarter === 0 ? `${step}\n` : `${step} ${quarter * 25} %\n`);
      last = { step, quarter };
    },
    end: () => {},
  };
}

function bar(fraction: number): string {
  const filled = Math.round(Math.min(1, Math.max(0, fraction)) * 20);
  return "█".repeat(filled) + "░".repeat(20 - filled);
}

function percent(fraction: number): string {
  return `${Math.floor(fraction * 100)} %`.padStart(5);
}
