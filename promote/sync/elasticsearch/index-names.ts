import { fail, ok, type Result } from "#snapshots/problem.ts";

/** What a sink's index goes by: people read `read`; Penstock writes to one generation through its own alias. */
export type IndexNames = {
  read: string;
  template: string;
  /** Settings of a team's own (shards, analysers, allocation): a component template, merged into new indices where it is there. */
  custom: string;
  pattern: string;
  generation(number: number): string;
  writeAlias(number: number): string;
  numberOf(index: string): number | undefined;
};

const LONGEST = 200;

export function indexNames(prefix: string, index: string): Result<IndexNames> {
  const read = `${prefix}${index}`;
  if (!/^[a-z0-9][a-z0-9_.-]*$/.test(read) || read.length > LONGEST)
    return fail({
      code: "elasticsearch-index-name",
      message: `An Elasticsearch index cannot be called ${read}.`,
      hint: `Use lower-case letters, digits, "-", "_" and ".", at most ${LONGEST} characters with the prefix.`,
    });
  const generation = (number: number): string => `${read}-${String(number).padStart(6, "0")}`;
  return ok({
    read,
    template: read,
    custom: `${read}@custom`,
    pattern: `${read}-*`,
    generation,
    writeAlias: (number) => `${generation(number)}-write`,
    numberOf(name) {
      const digits = name.startsWith(`${read}-`) ? name.slice(read.length + 1) : "";
      return /^\d{6}$/.test(digits) ? Number(digits) : undefined;
    },
  });
}
