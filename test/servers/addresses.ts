import { z } from "zod";
import { addresses } from "../../deploy/stack/stack.mjs";

const hostAndPort = z.string().regex(/^\S+:\d+$/, "expected host:port");
const schema = z.object({
  kafka: hostAndPort,
  kafkaSasl: hostAndPort.optional(),
  kafkaTls: hostAndPort.optional(),
  kafkaProxied: hostAndPort.optional(),
  kafkaCa: z.string().optional(),
  cassandra: hostAndPort,
  elasticsearch: hostAndPort,
  registry: z
    .string()
    .transform((address) => (/^https?:/.test(address) ? address : `http://${address}`))
    .pipe(z.url()),
  prometheus: hostAndPort.optional(),
});

/**
 * Where the real servers are: `host:port`, but `registry`, a URL with its path (`http://127.0.0.1:18081/apis/ccompat/v7`).
 * From PENSTOCK_STACK_KAFKA, …_KAFKA_SASL, …_KAFKA_TLS, …_KAFKA_CA, …_CASSANDRA, …_ELASTICSEARCH, …_REGISTRY,
 * …_PROMETHEUS; what is not set, from the stack's addresses.json.
 */
export const servers = readServers();

function readServers(): z.infer<typeof schema> {
  const parsed = schema.safeParse(addresses());
  if (parsed.success) return parsed.data;
  const names = parsed.error.issues.map(
    (issue) => `PENSTOCK_STACK_${String(issue.path[0]).toUpperCase()} (${issue.message})`,
  );
  throw new Error(
    `These tests need real servers; run \`npm run stack -- start\` first. Missing or wrong: ${names.join(", ")}.`,
  );
}
