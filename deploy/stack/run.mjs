// `npm run stack -- VERB [SERVER…]`.
import { requireSupportedNode } from "../../cli/prepare.mjs";
import { StackProblem } from "./problem.mjs";
import { serverNames } from "./settings.mjs";
import {
  freezeServer,
  killServer,
  resetStack,
  stackEnvironment,
  stackStatus,
  startStack,
  stopStack,
  thawServer,
} from "./stack.mjs";

const log = (line) => console.log(line);
const all = (names) => (names.length > 0 ? names : undefined);

const verbs = {
  start: {
    help: "start [SERVER…]    bring servers up and wait until each answers",
    run: (names) => startStack(all(names), { log }),
  },
  stop: {
    help: "stop [SERVER…]     end what was started here",
    run: (names) => stopStack(all(names), { log }),
  },
  status: {
    help: "status [SERVER…]   state, address, version, memory",
    run: async (names) => printTable(await stackStatus(all(names))),
  },
  reset: {
    help: "reset [SERVER…]    stop, and delete data and logs; downloads stay",
    run: (names) => resetStack(all(names), { log }),
  },
  addresses: {
    help: "addresses          NAME=value lines, as the tests take them",
    run: () => {
      for (const [name, value] of Object.entries(stackEnvironment())) log(`${name}=${value}`);
    },
  },
  kill9: { help: "kill9 SERVER…      end with SIGKILL", run: each(killServer) },
  freeze: { help: "freeze SERVER…     SIGSTOP: nothing answers", run: each(freezeServer) },
  thaw: { help: "thaw SERVER…       SIGCONT", run: each(thawServer) },
};

requireSupportedNode();
const [verb, ...names] = process.argv.slice(2);
if (!Object.hasOwn(verbs, verb ?? "")) {
  console.error(
    `npm run stack -- VERB\n\n  ${Object.values(verbs)
      .map(({ help }) => help)
      .join("\n  ")}\n\nServers: ${serverNames.join(", ")}. See docs/stack.md.`,
  );
  process.exit(2);
}
try {
  await verbs[verb].run(names);
} catch (error) {
  if (!(error instanceof StackProblem)) throw error;
  console.error(error.message.replace(/^/gm, "stack: "));
  process.exit(1);
}

function each(action) {
  return async (names) => {
    if (names.length === 0) throw new StackProblem(`name a server: ${serverNames.join(", ")}.`);
    for (const name of names) await action(name);
  };
}

function printTable(rows) {
  const lines = [
    ["server", "state", "address", "version", "memory", "pid", "way"],
    ...rows.map((row) => [
      row.name,
      row.state,
      row.address,
      row.version ?? "",
      row.memoryBytes ? `${Math.round(row.memoryBytes / 2 ** 20)} MiB` : "",
      String(row.pid ?? ""),
      row.way,
    ]),
  ];
  const widths = lines[0].map((_, column) => Math.max(...lines.map((line) => line[column].length)));
  for (const line of lines) {
    log(
      line
        .map((cell, column) => cell.padEnd(widths[column]))
        .join("  ")
        .trimEnd(),
    );
  }
}
