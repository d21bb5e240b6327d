// `addresses.json`: what this stack started, and where it is.
import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Replaces entries of the record, and writes it whole. An entry of `undefined` is left out. */
export function updateRecord(settings, way, entries) {
  const servers = { ...settings.record.servers, ...entries };
  for (const [name, entry] of Object.entries(servers)) if (!entry) delete servers[name];
  const isAnyStarted = Object.values(servers).some(({ state }) => state === "started");
  settings.record = { ...(isAnyStarted ? { way } : {}), servers };
  mkdirSync(settings.home, { recursive: true });
  const path = join(settings.home, "addresses.json");
  writeFileSync(`${path}.part`, `${JSON.stringify(settings.record, null, 2)}\n`);
  renameSync(`${path}.part`, path);
}

/** The addresses by their short names, of servers that are given or were started and not stopped. */
export function addressesOf(settings) {
  const { environment, given, record } = settings;
  const flat = {};
  for (const [name, entry] of Object.entries(record.servers)) {
    if (entry.state !== "started") continue;
    flat[name] = entry.address;
    if (entry.sasl)
      Object.assign(flat, {
        kafkaSasl: entry.sasl,
        kafkaTls: entry.tls,
        kafkaCa: entry.ca,
        kafkaProxied: entry.proxied,
      });
  }
  Object.assign(flat, given);
  if (given.kafka) {
    flat.kafkaSasl = environment.PENSTOCK_STACK_KAFKA_SASL || undefined;
    flat.kafkaProxied = environment.PENSTOCK_STACK_KAFKA_PROXIED || undefined;
    flat.kafkaTls = environment.PENSTOCK_STACK_KAFKA_TLS || undefined;
    flat.kafkaCa = environment.PENSTOCK_STACK_KAFKA_CA || undefined;
  }
  return flat;
}

/** The same addresses as the variables in which tests expect them. */
export function addressVariables(addresses) {
  const names = {
    kafka: "KAFKA",
    kafkaSasl: "KAFKA_SASL",
    kafkaTls: "KAFKA_TLS",
    kafkaProxied: "KAFKA_PROXIED",
    kafkaCa: "KAFKA_CA",
    cassandra: "CASSANDRA",
    elasticsearch: "ELASTICSEARCH",
    registry: "REGISTRY",
    prometheus: "PROMETHEUS",
  };
  return Object.fromEntries(
    Object.entries(addresses)
      .filter(([, address]) => address)
      .map(([key, address]) => [`PENSTOCK_STACK_${names[key]}`, address]),
  );
}
