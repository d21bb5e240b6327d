import { Client } from "cassandra-driver";
import type { CassandraConnection } from "#promote/sync/connections.ts";
import type { Flight } from "./bare-flight.ts";

/** The sink's own settings of its client: what is compared is what lies between Kafka and the clients, not how these are set. */
const IN_FLIGHT = 512;
const SETTINGS = {
  socketOptions: { coalescingThreshold: 1 << 16 },
  pooling: { maxRequestsPerConnection: 4096 },
};

/** Rows of one batch, each `null` for a delete, written by offset (`USING TIMESTAMP`), 512 requests at a time. */
export type BareTable = {
  write(flights: readonly Flight[]): Promise<void>;
  close(): Promise<void>;
};

export async function openBareTable(
  { contactPoints, localDataCenter, keyspace }: CassandraConnection,
  name: string,
): Promise<BareTable> {
  const client = new Client({ contactPoints, localDataCenter, ...SETTINGS });
  const table = `${keyspace}.${name}`;
  await client.execute(
    `create table ${table} (id bigint primary key, date timestamp, delay bigint, distance bigint, origin text, destination text, late boolean)`,
  );
  const insert = `insert into ${table} (id, date, delay, distance, origin, destination, late) values (?, ?, ?, ?, ?, ?, ?) using timestamp ?`;
  const remove = `delete from ${table} using timestamp ? where id = ?`;
  const options = { prepare: true, isIdempotent: true };

  function send({ id, row, version }: Flight): Promise<unknown> {
    if (row === null) return client.execute(remove, [version, id], options);
    const { date, delay, distance, origin, destination, late } = row;
    const values = [id, date, delay, distance, origin, destination, late, version];
    return client.execute(insert, values, options);
  }

  return {
    async write(flights) {
      let next = 0;
      const lane = async (): Promise<void> => {
        for (let flight = flights[next++]; flight !== undefined; flight = flights[next++])
          await send(flight);
      };
      await Promise.all(Array.from({ length: IN_FLIGHT }, lane));
    },
    close: () => client.shutdown(),
  };
}
