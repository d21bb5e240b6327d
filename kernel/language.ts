import { Worker } from "node:worker_threads";
import type { Result } from "#snapshots/problem.ts";
import type { Column } from "#snapshots/table.ts";
import type { Completion, LanguageInput, TextDiagnostic } from "./language-service.ts";
import type { LanguageRequest } from "./language-worker.ts";

/** The language service in a thread of its own: type checking never holds up a run or an edit. */
export type Language = {
  contract(input: LanguageInput, transform: string): Promise<Result<Column[]>>;
  diagnostics(input: LanguageInput): Promise<TextDiagnostic[]>;
  completions(input: LanguageInput, offset: number): Promise<Completion[]>;
  hover(input: LanguageInput, offset: number): Promise<string | undefined>;
};

type Question = LanguageRequest extends infer R
  ? R extends unknown
    ? Omit<R, "id">
    : never
  : never;
type Waiting = { resolve(value: unknown): void; reject(error: Error): void };

let shared: Language | undefined;

/** The process's one language service, started when first asked. It keeps no process alive. */
export function sharedLanguage(): Language {
  shared ??= startLanguage();
  return shared;
}

function startLanguage(): Language {
  const waiting = new Map<number, Waiting>();
  let worker: Worker | undefined;
  let last = 0;

  function thread(): Worker {
    if (worker) return worker;
    const started = new Worker(new URL("./language-worker.ts", import.meta.url));
    started.on(
      "message",
      ({ id, value, failure }: { id: number; value?: unknown; failure?: string }) => {
        const asked = waiting.get(id);
        waiting.delete(id);
        if (waiting.size === 0) started.unref();
        if (failure === undefined) asked?.resolve(value);
        else asked?.reject(new Error(failure));
      },
    );
    started.on("error", (error) => {
      worker = undefined;
      for (const asked of waiting.values())
        asked.reject(error instanceof Error ? error : new Error(String(error)));
      waiting.clear();
    });
    started.unref();
    worker = started;
    return started;
  }

  function ask<T>(question: Question): Promise<T> {
    const id = ++last;
    return new Promise<T>((resolve, reject) => {
      const running = thread();
      waiting.set(id, { resolve: (value) => resolve(value as T), reject });
      running.ref();
      running.postMessage({ id, ...question });
    });
  }

  return {
    contract: (input, transform) => ask({ ask: "contract", input, transform }),
    diagnostics: (input) => ask({ ask: "diagnostics", input }),
    completions: (input, offset) => ask({ ask: "completions", input, offset }),
    hover: (input, offset) => ask({ ask: "hover", input, offset }),
  };
}
