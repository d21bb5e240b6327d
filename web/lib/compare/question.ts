type Address = Pick<URLSearchParams, "get">;

/** What is compared, as the address bar names it. */
export type Question = { notebook: string; transform: string; before: string; after: string };

/** What an address names: the last commit against the file as it is, unless it says otherwise. */
export function namedIn(address: Address): Question | undefined {
  const [notebook, transform] = [address.get("notebook"), address.get("transform")];
  if (!notebook || !transform) return undefined;
  return {
    notebook,
    transform,
    before: address.get("before") ?? "git:HEAD",
    after: address.get("after") ?? "working",
  };
}

/** What an address asks to be compared; one that was kept, or a list of them, it asks for otherwise. */
export function questionOf(address: Address): Question | undefined {
  return address.get("comparison") || isHistory(address) ? undefined : namedIn(address);
}

/** Whether it asks for a list of what was compared, and for no comparison. */
export function isHistory(address: Address): boolean {
  return !address.get("comparison") && address.get("view") === "history";
}
