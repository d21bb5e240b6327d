import type { Command } from "commander";

/** An argument or option that is said and empty, as an unset variable of a script leaves it, names nothing. */
export function refuseEmpty(command: Command): void {
  command.registeredArguments.forEach((argument, i) => {
    if (hasEmpty(command.args.slice(i, argument.variadic ? undefined : i + 1)))
      command.error(`error: argument '${argument.name()}' is empty`);
  });
  for (const option of command.options) {
    const name = option.attributeName();
    const isSaid = command.getOptionValueSource(name) === "cli";
    if (isSaid && hasEmpty(command.getOptionValue(name)))
      command.error(`error: option '${option.flags}' is empty`);
  }
  if (command.parent) refuseEmpty(command.parent);
}

function hasEmpty(value: unknown): boolean {
  return value === "" || (Array.isArray(value) && value.includes(""));
}
