import { parentPort } from "node:worker_threads";
import { createLanguageService, type LanguageInput } from "./language-service.ts";

/** What the worker is asked; it answers `{ id, value }` or `{ id, failure }`. */
export type LanguageRequest = { id: number; input: LanguageInput } & (
  | { ask: "contract"; transform: string }
  | { ask: "diagnostics" }
  | { ask: "completions" | "hover"; offset: number }
);

const service = createLanguageService();

parentPort?.on("message", (request: LanguageRequest) => {
  try {
    parentPort?.postMessage({ id: request.id, value: answer(request) });
  } catch (error) {
    parentPort?.postMessage({
      id: request.id,
      failure: error instanceof Error ? error.message : String(error),
    });
  }
});

function answer(request: LanguageRequest): unknown {
  switch (request.ask) {
    case "contract":
      return service.contract(request.input, request.transform);
    case "diagnostics":
      return service.diagnostics(request.input);
    case "completions":
      return service.completions(request.input, request.offset);
    case "hover":
      return service.hover(request.input, request.offset);
  }
}
