import { shown } from "./shown.ts";

/** Where in the notebook's or bundle's text an error came from. */
export type ErrorPlace = { line?: number; column?: number };

const longest = 500;

/** Says an error in one bounded line; never trusts the error to be well behaved. */
export function messageOf(error: unknown): string {
  try {
    const text =
      error instanceof Error ? `${error.name}: ${error.message}` : `Thrown: ${shown(error)}`;
    return text.length <= longest ? text : `${text.slice(0, longest - 1)}…`;
  } catch {
    return "An error that cannot be shown.";
  }
}

/** The first place in user code of an error's stack. */
export function placeOf(error: unknown): ErrorPlace {
  const [first] = placesOf(error);
  return first ? { line: first.line, column: first.column } : {};
}

/** All of them, innermost first. */
export function placesOf(error: unknown): { source: string; line: number; column: number }[] {
  try {
    const stack = (error as { stack?: unknown } | null)?.stack;
    if (typeof stack !== "string") return [];
    return stack
      .slice(0, 20_000)
      .split("\n")
      .flatMap((line) => {
        const found = /\(user:(.*):(\d{1,9}):(\d{1,9})\)$/.exec(line);
        return found
          ? [{ source: found[1] ?? "", line: Number(found[2]), column: Number(found[3]) }]
          : [];
      });
  } catch {
    // A stack that throws when read says nothing.
    return [];
  }
}

type CallSite = {
  getFunctionName(): string | null;
  getScriptNameOrSourceURL(): string | null;
  getLineNumber(): number | null;
  getColumnNumber(): number | null;
};

/**
 * Makes stacks short: user code is known by its sourceURL, which begins with `user:`; everything else is left out, so that
 * neither paths nor the text of data: addresses show. `headerLines` stand before user code in what is compiled.
 * Must run before `Error` is frozen.
 */
export function installStacks(headerLines = 0): void {
  const format = (error: unknown, sites: CallSite[]): string => {
    const lines = sites.flatMap((site) => {
      const source = site.getScriptNameOrSourceURL();
      if (typeof source !== "string" || !source.startsWith("user:")) return [];
      const line = (site.getLineNumber() ?? 0) - headerLines;
      if (line < 1) return [];
      const place = `${source}:${line}:${site.getColumnNumber()}`;
      return [`    at ${site.getFunctionName() ?? "<anonymous>"} (${place})`];
    });
    return [messageOf(error), ...lines].join("\n");
  };
  Object.defineProperty(Error, "prepareStackTrace", {
    value: format,
    writable: false,
    configurable: false,
  });
  Error.stackTraceLimit = 30;
}
