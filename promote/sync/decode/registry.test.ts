import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { unwrap } from "#snapshots/problem.ts";
import { PLAIN_STREAM } from "#snapshots/stream-settings.ts";
import { avroReader } from "./avro/rows.ts";
import { framed, recordOf, writerOf } from "./avro/fixture.ts";
import { openDecoder } from "./open-decoder.ts";
import { openRegistry, type Registry } from "./registry.ts";

/** `hangs`: no answer ever comes. A text is sent as it is. */
type Page = { status: number; body: unknown } | "hangs";

let server: Server | undefined;
const asked: { path: string; authorization: string | undefined }[] = [];

const NOT_FOUND: Page = { status: 404, body: { error_code: 40403, message: "not found" } };

async function serve(pages: Record<string, Page>, otherwise = NOT_FOUND): Promise<string> {
  asked.length = 0;
  const listening = createServer((request, response) => {
    const path = request.url ?? "";
    asked.push({ path, authorization: request.headers.authorization });
    const page = pages[path] ?? otherwise;
    if (page === "hangs") return;
    response.writeHead(page.status, { "content-type": "application/json" });
    response.end(typeof page.body === "string" ? page.body : JSON.stringify(page.body));
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
      text: "{}",
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

const PROXY: Page = { status: 404, body: "<h1>no route</h1>" };

describe("an answer that is no schema", () => {
  test.each<[of: string, page: Page, reason: string]>([
    ["404 in a proxy's words", PROXY, "the registry knows no schema 5"],
    [
      "400",
      { status: 400, body: { error_code: 400, message: "no" } },
      "the registry answers 400 for schema 5, and no schema",
    ],
    [
      "200",
      { status: 200, body: "nonsense" },
      "the registry answers 200 for schema 5, and no schema",
    ],
  ])("%s is that id's own fault while the registry is there", async (_, page, reason) => {
    const types = { status: 200, body: ["AVRO"] };
    const registry = openAt(
      await serve({ "/schemas/ids/5": page, "/schemas/types": types }, PROXY),
    );
    expect(await registry.load([5])).toBeUndefined();
    expect(registry.known(5)).toEqual({ kind: "unusable", reason });
  });

  test("is waited out where everything is answered like that", async () => {
    const registry = openAt(await serve({}, PROXY));
    expect(await registry.load([5])).toMatchObject({ code: "server-away" });
    expect(registry.known(5)).toBeUndefined();
  });

  test("of any number of ids is not all held", async () => {
    const registry = openAt(await serve({}));
    const ids = Array.from({ length: 1050 }, (_, i) => i);
    await registry.load(ids);
    expect(ids.filter((id) => registry.known(id) !== undefined)).toHaveLength(1000);
    expect(registry.known(1049)).toMatchObject({ kind: "unusable" });
  });
});

describe("a schema that is not read", () => {
  const contract = {
    input: [{ name: "x", type: "INTEGER", nullable: true }],
    key: [],
    stream: { ...PLAIN_STREAM, format: "avro" as const },
  };
  const records = (id: number) => [recordOf(framed(id, Buffer.from([2])))];

  test("is told with its reason and its text, and asked for again where what it refers to may come", async () => {
    let nowMs = 0;
    const refers = { references: [{ name: "Inner", subject: "inner", version: 3 }] };
    const outer = { type: "record", name: "Outer", fields: [{ name: "x", type: "Inner" }] };
    const pages: Record<string, Page> = {
      "/schemas/ids/1": page(outer, refers),
      "/schemas/ids/2": page({}, { schemaType: "PROTOBUF" }),
    };
    const registry = openAt(await serve(pages), () => nowMs);
    const decoder = unwrap(openDecoder({ ...contract, registry }));
    const outcome = await decoder.decode(
      [...records(1), ...records(2), ...records(3)],
      "flights",
      0,
    );
    const decoded = outcome.kind === "decoded" ? outcome.decoded : undefined;
    expect(decoded?.failures).toHaveLength(3);
    // Of 3 there is nothing to show.
    expect(decoded?.conflicts).toMatchObject([
      {
        schemaId: 1,
        writerSchema: JSON.stringify(outer),
        conflict:
          "schema 1: It is not an Avro schema: undefined type name: Inner. The registry has no version 3 of inner, which it refers to.",
      },
      { schemaId: 2, conflict: "schema 2 is PROTOBUF, not Avro" },
    ]);
    pages["/subjects/inner/versions/3"] = page({ type: "enum", name: "Inner", symbols: ["A"] });
    nowMs = 30_001;
    expect(registry.known(1)).toBeUndefined();
    expect(registry.known(2)).toMatchObject({ kind: "unusable" });
    await registry.load([1]);
    expect(registry.known(1)).toMatchObject({ kind: "schema" });
  });

  test("costs one request for its subject, not one a batch", async () => {
    const registry = openAt(
      await serve({
        "/schemas/ids/1": page(flight("string")),
        "/schemas/ids/1/versions": {
          status: 200,
          body: [{ subject: "flights-value", version: 1 }],
        },
      }),
    );
    const decoder = unwrap(openDecoder({ ...contract, registry }));
    for (let batch = 0; batch < 5; batch++) {
      const outcome = await decoder.decode(records(1), "flights", 0);
      expect(outcome).toMatchObject({
        decoded: { conflicts: [{ schemaId: 1, subject: "flights-value" }] },
      });
    }
    expect(asked.map(({ path }) => path)).toEqual(["/schemas/ids/1", "/schemas/ids/1/versions"]);
  });

  test("keeps no batch waiting for a name that the registry does not give", async () => {
    let nowMs = 0;
    const pages: Record<string, Page> = {
      "/schemas/ids/1": page(flight("string")),
      "/schemas/ids/1/versions": "hangs",
    };
    const registry = openAt(await serve(pages), () => nowMs);
    const decoder = unwrap(openDecoder({ ...contract, registry }));
    await decoder.decode(records(1), "flights", 0);
    pages["/schemas/ids/1/versions"] = { status: 200, body: [{ subject: "flights-value" }] };
    nowMs = 30_001;
    // Not a promise: the name is asked for behind it.
    expect(decoder.decode(records(1), "flights", 0)).toMatchObject({
      decoded: { conflicts: [{ schemaId: 1 }] },
    });
    await expect.poll(() => registry.subjectOf(1, "flights-value")).toBe("flights-value");
  });

  test("is not asked for where bytes cannot be an id", async () => {
    const decoder = unwrap(openDecoder({ ...contract, registry: openAt(await serve({})) }));
    const garbage = recordOf(Buffer.from([0, 255, 255, 255, 255]));
    expect(decoder.decode([garbage], "flights", 0)).toMatchObject({
      decoded: { failures: [{ reason: "the value is not Avro in Confluent's wire format" }] },
    });
    expect(asked).toEqual([]);
  });
});

function flight(type: string): object {
  return { type: "record", name: "Flight", fields: [{ name: "x", type }] };
}

describe("a registry that does not answer", () => {
  test("no server, a server's error and nonsense are waited out", async () => {
    const url = await serve({ "/schemas/ids/1": { status: 503, body: {} } }, PROXY);
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

  test("a registry that does not speak TLS where the URL says so needs a person", async () => {
    const url = (await serve({})).replace("http:", "https:");
    expect(await openAt(url).load([1])).toMatchObject({
      code: "registry-tls",
      message: expect.stringContaining(url),
    });
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
