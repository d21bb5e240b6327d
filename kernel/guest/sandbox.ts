import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { denoBinary, denoFlags } from "./deno-binary.ts";
import { runtimeFiles } from "./runtime-files.ts";

export type GuestKind = "slice" | "interactive";

/** How well guests are shut in on this machine. */
export type SandboxState = { isReduced: boolean; note?: string };

type Tools = {
  bwrap: string | undefined;
  prlimit: string | undefined;
  setpriv: string | undefined;
};

/** What V8 and Deno take beside the JavaScript heap: code, stacks, array buffers in flight. */
const besideHeapMb = 512;

let tools: Tools | undefined;

/**
 * The command that starts a guest. Deno's permissions are the first wall. Where the system has them, bubblewrap (no network,
 * no other processes, only Deno and its libraries to see) and limits on memory and file size are the second.
 */
export function guestCommand(
  kind: GuestKind,
  memoryMb: number,
): { command: string; args: string[]; env: Record<string, string> } {
  const { bwrap, prlimit, setpriv } = findTools();
  const deno = denoBinary().path;
  const files = runtimeFiles();
  const inside =
    bwrap === undefined ? { deno, folder: files.folder } : { deno: "/deno", folder: "/guest" };
  const env = {
    TZ: "UTC",
    NO_COLOR: "1",
    DENO_DIR: bwrap === undefined ? join(files.folder, "deno") : "/tmp/deno",
    DENO_NO_UPDATE_CHECK: "1",
  };
  const run = [
    inside.deno,
    "run",
    "--quiet",
    ...denoFlags,
    `--import-map=${join(inside.folder, "import-map.json")}`,
    `--v8-flags=${v8Flags(memoryMb).join(",")}`,
    join(inside.folder, `${kind}.js`),
  ];
  // RLIMIT_DATA, not RLIMIT_AS: V8 reserves far more addresses than it uses. No limit on processes: it counts those of the
  // whole user, and a guest without --allow-run, in a PID namespace, can start none.
  const limits =
    prlimit === undefined
      ? []
      : [
          prlimit,
          `--data=${(memoryMb + besideHeapMb) * 2 ** 20}`,
          "--core=0",
          `--fsize=${2 ** 26}`,
          "--",
        ];
  const death =
    bwrap !== undefined || setpriv === undefined ? [] : [setpriv, "--pdeathsig", "KILL", "--"];
  const [command = deno, ...args] = [
    ...limits,
    ...death,
    ...(bwrap === undefined
      ? run
      : [bwrap, ...bwrapArguments(deno, files.folder, env), "--", ...run]),
  ];
  return { command, args, env };
}

function v8Flags(memoryMb: number): string[] {
  // A large young generation: rows are many and short-lived.
  return [
    `--max-old-space-size=${memoryMb}`,
    "--min-semi-space-size=16",
    "--max-semi-space-size=32",
  ];
}

/** Whether guests are as well shut in as Penstock can, for the pages to show. Probes once. */
export function sandboxState(): SandboxState {
  const { bwrap, prlimit } = findTools();
  const missing = [
    ...(bwrap === undefined ? ["bubblewrap (no network, no view of files or processes)"] : []),
    ...(prlimit === undefined ? ["prlimit (memory)"] : []),
  ];
  if (missing.length === 0) return { isReduced: false };
  const way =
    process.platform === "linux"
      ? "Install bubblewrap and util-linux, and allow user namespaces."
      : "Teams run on Linux.";
  return {
    isReduced: true,
    note: `Reduced sandbox: Deno's own permissions hold, but this system has no ${missing.join(" and no ")}. ${way}`,
  };
}

function findTools(): Tools {
  tools ??=
    process.platform === "linux"
      ? probe()
      : { bwrap: undefined, prlimit: undefined, setpriv: undefined };
  return tools;
}

function probe(): Tools {
  const deno = denoBinary().path;
  const bwrap = onPath("bwrap");
  const prlimit = onPath("prlimit");
  const setpriv = onPath("setpriv");
  const { folder } = runtimeFiles();
  return {
    bwrap:
      bwrap &&
      works(bwrap, [
        ...bwrapArguments(deno, folder, { DENO_DIR: "/tmp/deno" }),
        "--",
        "/deno",
        "--version",
      ]),
    prlimit: prlimit && works(prlimit, ["--core=0", "--", "true"]),
    setpriv: setpriv && works(setpriv, ["--pdeathsig", "KILL", "--", "true"]),
  };
}

function works(command: string, args: string[]): string | undefined {
  const tried = spawnSync(command, args, { stdio: "ignore", timeout: 10_000 });
  return tried.status === 0 ? command : undefined;
}

function bwrapArguments(deno: string, folder: string, env: Record<string, string>): string[] {
  const libraries = ["/lib", "/lib64", "/usr/lib", "/usr/lib64", "/nix/store", "/etc/ld.so.cache"];
  return [
    "--unshare-all",
    "--die-with-parent",
    "--new-session",
    "--cap-drop",
    "ALL",
    "--clearenv",
    ...Object.entries(env).flatMap(([name, value]) => ["--setenv", name, value]),
    ...libraries.flatMap((path) => ["--ro-bind-try", path, path]),
    "--ro-bind",
    deno,
    "/deno",
    "--ro-bind",
    folder,
    "/guest",
    "--dev",
    "/dev",
    "--tmpfs",
    "/tmp",
    "--chdir",
    "/guest",
  ];
}

function onPath(name: string): string | undefined {
  const folders = [...(process.env["PATH"] ?? "").split(":"), "/usr/bin", "/bin", "/usr/sbin"];
  return folders
    .map((folder) => join(folder, name))
    .find((file) => file.startsWith("/") && existsSync(file));
}
