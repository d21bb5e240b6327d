// One program, run to its end.
import { spawn } from "node:child_process";

/** Runs a program without a shell. Resolves to `{ isDone, output }`; output is both streams as they came. */
export function execute(program, arguments_, options = {}) {
  return new Promise((resolve) => {
    const child = spawn(program, arguments_, { ...options, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    child.stdout.on("data", (chunk) => (output += chunk));
    child.stderr.on("data", (chunk) => (output += chunk));
    child.on("error", (error) => resolve({ isDone: false, output: error.message }));
    child.on("close", (code) => resolve({ isDone: code === 0, output }));
  });
}

/** The last lines of a program's output, for a message. */
export function lastLines(text, count = 8) {
  return text.trim().split("\n").slice(-count).join("\n");
}
