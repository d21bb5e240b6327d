import { Client } from "cassandra-driver";
import type { PipelineSpec } from "#promote/sync/sync.ts";

type Hit = {
  _id: string;
  _source: { origin: string; _penstock: { key: unknown[]; version: string } };
};

/** What people do to rows by hand, above their versions so that it counts: every other one is changed, the rest deleted. Returns how many. */
export async function tamper(spec: PipelineSpec, limit: number): Promise<number> {
  if (spec.where.kind !== "servers") throw new Error("rows on servers, these are");
  const { cassandra, elasticsearch } = spec.where;
  const node = elasticsearch?.nodes[0] ?? "";
  const index = `${elasticsearch?.prefix ?? ""}${spec.name.toLowerCase()}-000001`;
  const ask = async (method: string, path: string, body?: object): Promise<unknown> => {
    const answer = await fetch(`${node}${path}`, {
      method,
      headers: { "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!answer.ok && answer.status !== 409 && answer.status !== 404)
      throw new Error(await answer.text());
    return answer.json();
  };
  await ask("POST", `/${index}/_refresh`);
  const query = { bool: { must_not: { term: { "_penstock.deleted": true } } } };
  const found = await ask("POST", `/${index}/_search`, { size: limit, query });
  const { hits } = (found as { hits: { hits: Hit[] } }).hits; // Elasticsearch's answer
  const client = new Client({
    contactPoints: cassandra?.contactPoints ?? [],
    localDataCenter: cassandra?.localDataCenter ?? "",
  });
  const table = `${cassandra?.keyspace ?? ""}.${spec.name}`;
  for (const [i, { _id, _source }] of hits.entries()) {
    const above = BigInt(_source._penstock.version) + 1n;
    const at = `/${index}/_doc/${encodeURIComponent(_id)}?version=${above}&version_type=external`;
    const where = `where id = ${String(_source._penstock.key[0])} and penstock_part = 0`;
    if (i % 2 === 0) {
      await ask("PUT", at, { ..._source, origin: "TAMPERED" });
      await client.execute(
        `update ${table} using timestamp ${above} set origin = 'TAMPERED' ${where}`,
      );
    } else {
      await ask("DELETE", at);
      await client.execute(`delete from ${table} using timestamp ${above} ${where}`);
    }
  }
  await client.shutdown();
  return hits.length;
}
