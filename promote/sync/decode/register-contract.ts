import { z } from "zod";
import { fail, ok, type Result } from "#snapshots/problem.ts";
import type { Column } from "#snapshots/table.ts";
import { contractSchema } from "./avro/contract-schema.ts";
import type { Registry } from "./registry.ts";

/** What became of a contract at the registry; `schema` is the Avro it is written in. */
export type Registration = { kind: "there" | "registered"; id: number; schema: string };

/**
 * Registers a contract as the newest schema of a subject, under whatever compatibility the registry asks of that subject. A problem with
 * code `contract-incompatible` carries the registry's own reason; `server-away` and `registry-refused` are the registry's.
 */
export async function registerContract(
  registry: Registry,
  subject: string,
  columns: readonly Column[],
): Promise<Result<Registration>> {
  const made = contractSchema(columns, recordName(subject));
  if (!made.ok) return made;
  const schema = JSON.stringify(made.value);
  const path = `/subjects/${encodeURIComponent(subject)}`;
  const there = await registry.ask("POST", path, { schema });
  if (!there.ok) return there;
  const known = idAnswer.safeParse(there.value.body);
  if (there.value.status === 200 && known.success)
    return ok({ kind: "there", id: known.data.id, schema });
  const asked = await registry.ask("POST", `${path}/versions`, { schema });
  if (!asked.ok) return asked;
  const registered = idAnswer.safeParse(asked.value.body);
  if (asked.value.status === 200 && registered.success)
    return ok({ kind: "registered", id: registered.data.id, schema });
  const said = errorAnswer.safeParse(asked.value.body);
  const message = said.success ? said.data.message : `it answered ${asked.value.status}`;
  const isIncompatible = asked.value.status === 409;
  return fail({
    code: isIncompatible ? "contract-incompatible" : "contract-not-registered",
    message: `The registry does not take the output contract as a version of ${subject}: ${message}`,
    hint: isIncompatible
      ? "Keep what readers of the earlier contract need, or write to another topic."
      : "Look at the registry's log for this subject.",
  });
}

const idAnswer = z.object({ id: z.number() });
const errorAnswer = z.object({ message: z.string() });

/** `flights-value` → `flights`: the record is named for the topic, whichever version it is. */
function recordName(subject: string): string {
  return subject.replace(/-(?:key|value)$/, "");
}
