import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { unwrap } from "#snapshots/problem.ts";
import { avroReader } from "./avro/rows.ts";
import { framed, writerOf } from "./avro/fixture.ts";
import { openRegistry, type Registry } from "./registry.ts";

type Page = { status: number; body: unknown };

let server: Server | undefined;
const asked: { path: string; authorization: string | undefined }[] = [];

async function serve(pages: Record<string, Page>): Promise<string> {
  asked.length = 0;
  const listening = createServer((request, response) => {
    const path = request.url ?? "";
    asked.push({ path, authorization: request.headers.authorization });
    const page = pages[path] ?? { status: 404, body: { error_code: 40403, message: "not found" } };
    response.writeHead(page.status, { "content-type": "application/json" });
    response.end(JSON.stringify(page.body));
  });
  server = listening;
  await new Promise<void>((resolve) => listening.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(listening.address() as AddressInfo).port}`; // it listens on TCP
}

afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

function openAt(url: string, now: () => number = () => 0): Registry {
  return unwrap(openRegistry({ url }, { root: "", variables: {} }, now));
}

const page = (schema: unknown, rest: object = {}): Page => ({
  status: 200,
  body: { schema: JSON.stringify(schema), ...rest },
});

describe("ids", () => {
  test("a schema is asked for once; an unknown one again after half a minute", async () => {
    let nowMs = 0;
    const registry = openAt(await serve({ "/schemas/ids/1": page("string") }), () => nowMs);
    expect(await registry.load([1, 2])).toBeUndefined();
    expect(registry.known(1)).toMatchObject({ kind: "schema", text: '"string"' });
    expect(registry.known(2)).toEqual({
      kind: "unusable",
      reason: "the registry knows no schema 2",
    });
    nowMs = 30_001;
    expect(registry.known(1)).toMatchObject({ kind: "schema" });
    expect(registry.known(2)).toBeUndefined();
  });

  test("a schema of another kind, or none at all, is unusable with its reason", async () => {
    const registry = openAt(
      await serve({
        "/schemas/ids/1": page({}, { schemaType: "PROTOBUF" }),
        "/schemas/ids/2": page({ type: "record", name: "R" }),
      }),
    );
    await registry.load([1, 2]);
    expect(registry.known(1)).toEqual({
      kind: "unusable",
      reason: "schema 1 is PROTOBUF, not Avro",
    });
    expect(registry.known(2)).toMatchObject({
      kind: "unusable",
      reason: expect.stringContaining("schema 2: It is not an Avro schema"),
    });
  });

  test("a schema may refer to others, and those to others again", async () => {
    const refer = (name: string) => ({ references: [{ name, subject: name, version: 1 }] });
    const record = (name: string, type: string) => ({
      type: "record",
      name,
      fields: [{ name: "x", type }],
    });
    const outer = record("a.Outer", "a.Middle");
    const registry = openAt(
      await serve({
        "/schemas/ids/1": page(outer, refer("a.Middle")),
        "/subjects/a.Middle/versions/1": page(record("a.Middle", "a.Inner"), refer("a.Inner")),
        "/subjects/a.Inner/versions/1": page(record("a.Inner", "int")),
      }),
    );
    await registry.load([1]);
    const type = { kind: "struct" as const, fields: [{ name: "x", type: STRUCT }] };
    const reader = avroReader("value", [{ name: "x", type, nullable: false }], (id) =>
      registry.known(id),
    );
    const row: [] = [];
    const bytes = writerOf("int").toBuffer(7);
    expect(reader.readRow.read(framed(1, bytes), row)).toBeUndefined();
    expect(row).toEqual([[[7]]]);
  });
});

const STRUCT = {
  kind: "struct" as const,
  fields: [{ name: "x", type: { kind: "scalar" as const, name: "INTEGER" as const } }],
};

describe("a registry that does not answer", () => {
  test("no server, a server's error and nonsense are waited out", async () => {
    const url = await serve({
      "/schemas/ids/1": { status: 503, body: {} },
      "/schemas/ids/2": { status: 200, body: "nonsense" },
    });
    const registry = openAt(url);
    expect(await registry.load([1])).toMatchObject({ code: "server-away" });
    expect(await registry.load([2])).toMatchObject({ code: "server-away" });
    expect(registry.known(1)).toBeUndefined();
    server?.close();
    server?.closeAllConnections();
    expect(await registry.load([3])).toMatchObject({ code: "server-away" });
  });

  test("refused credentials need a person", async () => {
    const registry = openAt(await serve({ "/schemas/ids/1": { status: 401, body: {} } }));
    expect(await registry.load([1])).toMatchObject({ code: "registry-refused" });
  });

  test("credentials are sent; a password that is not set is a problem that names its variable", async () => {
    const url = await serve({ "/schemas/ids/1": page("int") });
    const connection = { url, username: "ann", password: { env: "REGISTRY_PASSWORD" } };
    const variables = { REGISTRY_PASSWORD: "secret" };
    const registry = unwrap(openRegistry(connection, { root: "", variables }, () => 0));
    await registry.load([1]);
    expect(asked[0]?.authorization).toBe(`Basic ${Buffer.from("ann:secret").toString("base64")}`);
    const without = openRegistry(connection, { root: "", variables: {} }, () => 0);
    expect(without).toMatchObject({ ok: false, problem: { code: "secret-missing" } });
  });
});
