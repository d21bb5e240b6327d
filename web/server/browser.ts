import { spawn } from "node:child_process";

/** Opens the address in the user's browser, where there is one; its absence is nobody's problem. */
export function openInBrowser(url: string): void {
  const [program, ...arguments_] =
    process.platform === "darwin"
      ? ["open", url]
      : process.platform === "win32"
        ? ["cmd", "/c", "start", "", url.replaceAll("&", "^&")]
        : ["xdg-open", url];
  if (!program) return;
  const child = spawn(program, arguments_, { stdio: "ignore", detached: true });
  child.on("error", () => {});
  child.unref();
}
