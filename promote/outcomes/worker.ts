import { parentPort } from "node:worker_threads";
import { outcomeOf, type OutcomeRequest } from "./answer.ts";

parentPort?.on("message", (request: OutcomeRequest) => {
  parentPort?.postMessage(outcomeOf(request));
});
