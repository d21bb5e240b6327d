import { describe, expect, test } from "vitest";
import { unwrap } from "#snapshots/problem.ts";
import type { TopicChoice } from "#snapshots/topic-choice.ts";
import { withoutPipeline, withoutServers, withPipeline, withServers } from "./environment-edits.ts";
import { parseEnvironment } from "./environments.ts";

const release = "ab".repeat(32);
const other = "cd".repeat(32);
const pipeline = {
  release,
  topic: "flights",
  sinks: ["table", "search"] as ("table" | "search")[],
};

const text = `# What runs in production.
kind: embedded
approvals: 1 # a reviewer's
pipelines:
  # the airline's main table
  delays:
    release: ${other} # autumn
    topic: flights
    sinks: [table, search]
`;

describe("withPipeline", () => {
  test("replaces the release and keeps every comment and the layout", () => {
    expect(withPipeline(text, "delays", pipeline)).toBe(text.replace(other, release));
  });

  test("adds a pipeline to an environment that has none, however that is written", () => {
    for (const empty of ["pipelines: {}\n", "pipelines:\n", ""]) {
      const made = withPipeline(`# note\nkind: embedded\n${empty}`, "delays", pipeline);
      expect(made).toContain("# note\n");
      expect(unwrap(parseEnvironment("staging", made)).pipelines).toEqual({ delays: pipeline });
      expect(made).toContain(`pipelines:\n  delays:\n    release: ${release}\n`);
    }
  });

  test("says the same twice: nothing changes the second time", () => {
    const once = withPipeline(text, "routes", pipeline);
    expect(withPipeline(once, "routes", pipeline)).toBe(once);
    expect(
      unwrap(parseEnvironment("production", withoutPipeline(once, "routes"))).pipelines,
    ).toEqual({
      delays: { ...pipeline, release: other },
    });
  });
});

describe("moving to servers and back", () => {
  const servers = {
    kafka: { brokers: ["kafka:9092"], tls: false },
    cassandra: {
      contactPoints: ["cassandra:9042"],
      localDataCenter: "dc1",
      keyspace: "penstock",
      replicas: 3,
      consistency: "localQuorum" as const,
      tls: false,
    },
    elasticsearch: { nodes: ["http://es:9200"], prefix: "p-", replicas: 1, tls: false },
  };

  test("keeps pipelines, approvals and comments, and comes back to the same text", () => {
    const moved = withServers(text, servers);
    const environment = unwrap(parseEnvironment("production", moved));
    expect(environment).toMatchObject({
      kind: "servers",
      workers: "server",
      approvals: 1,
      ...servers,
    });
    expect(environment.pipelines).toEqual({ delays: { ...pipeline, release: other } });
    expect(moved).toContain("# the airline's main table");
    expect(withoutServers(moved)).toBe(text);
    expect(withServers(moved, servers)).toBe(moved);
  });

  test.each([
    ["a sink whose server is not named", ["cassandra"], /`cassandra`/],
    ["a search sink without its server", ["elasticsearch"], /`elasticsearch`/],
  ])("refuses %s", (_, [without = ""], message) => {
    const rest = Object.fromEntries(Object.entries(servers).filter(([key]) => key !== without));
    const parsed = parseEnvironment("production", withServers(text, rest as typeof servers));
    expect(parsed.ok ? "" : parsed.problem.message).toMatch(message);
  });

  test.each([
    [
      "routing: origin",
      "table",
      /delays sets `routing`, which is for a search index in Elasticsearch/,
    ],
    [
      "gcGraceSeconds: 2592000",
      "search",
      /delays sets `gcGraceSeconds`, which is for a table in Cassandra/,
    ],
  ])("%s needs its sink on servers", (setting, sink, message) => {
    const set = text.replace("sinks:", `${setting}\n    sinks:`);
    const [name = "", value = ""] = setting.split(": ");
    const settings = { [name]: name === "routing" ? value : Number(value) };
    expect(unwrap(parseEnvironment("production", withServers(set, servers))).pipelines).toEqual({
      delays: { ...pipeline, release: other, ...settings },
    });
    for (const wrong of [set, withServers(set.replace("[table, search]", `[${sink}]`), servers)])
      expect(parseEnvironment("production", wrong)).toMatchObject({
        problem: { code: "environment-invalid", message: expect.stringMatching(message) },
      });
  });

  test.each<[string, TopicChoice]>([
    ["[flights-eu, flights-us]", ["flights-eu", "flights-us"]],
    ['{ pattern: "flights-[a-z]+" }', { pattern: "flights-[a-z]+" }],
  ])("%s are several topics, which belong to servers only", (written, topic) => {
    const several = text.replace(/topic: .*/, `topic: ${written}`);
    expect(parseEnvironment("production", several)).toMatchObject({
      problem: { message: expect.stringMatching(/delays reads several topics, which only/) },
    });
    const { pipelines } = unwrap(parseEnvironment("production", withServers(several, servers)));
    expect(pipelines["delays"]?.topic).toEqual(topic);
  });

  test.each([
    [
      "topic: { pattern: 'flights.*' }\n    deadLetters: flights.dead",
      /reads the topic flights\.dead/,
    ],
    [
      "topic: [a, flights-late]\n    sinks: [{ topic: flights-late }]",
      /reads the topic flights-late/,
    ],
    ["topic: [a, b]\n    start: { offsets: { '0': 4 } }", /starts at an offset of 0, which is no/],
    ["topic: a\n    start: { offsets: { 'b/0': 4 } }", /starts at an offset of b\/0, which is no/],
    ["topic: [a, a]", /each topic is named once|name of a topic/],
    ["topic: { pattern: 'a)|(b' }", /regular expression/i],
    ["topic: ../a", /topic's name has letters/],
    ["topic: []", /name a topic at least/],
    ["topic: 7", /the name of a topic .*, a list of names, or/],
  ])("refuses %j", (written, message) => {
    const base = written.includes("sinks") ? text.replace(/ *sinks: .*\n/, "") : text;
    const wrong = base.replace(/topic: .*/, written);
    const parsed = parseEnvironment("production", withServers(wrong, servers));
    expect(parsed.ok ? "" : parsed.problem.message).toMatch(message);
  });

  test("a derived topic belongs to servers only", () => {
    const derived = text.replace("[table, search]", "[{ topic: late-flights }]");
    expect(parseEnvironment("production", derived).ok).toBe(false);
    expect(unwrap(parseEnvironment("production", withServers(derived, servers))).pipelines).toEqual(
      {
        delays: { ...pipeline, release: other, sinks: [{ topic: "late-flights" }] },
      },
    );
  });
});

describe("parseEnvironment", () => {
  test.each([
    ["kind: embedded\npipelines: [\n", /not valid YAML/],
    ["kind: cluster\n", /kind/],
    ["kind: embedded\napprovals: -1\n", /approvals/],
    [
      `kind: embedded\npipelines: { delays: { release: ${release}, topic: t, sinks: [table], deadLetters: t.dead } }\n`,
      /delays sends its dead letters to the topic t\.dead, which only an environment of servers has/,
    ],
    [
      `kind: embedded\npipelines: { delays: { release: ${release}, topic: t, sinks: [table], partitionsAdded: true } }\n`,
      /delays sets `partitionsAdded`, which is for topics of Kafka/,
    ],
    [
      "kind: embedded\npipelines: { delays: { release: 3f9a, topic: t, sinks: [table] } }\n",
      /64 hex digits/,
    ],
    ["kind: embedded\nreplicas: 3\n", /replicas/],
    [
      `kind: embedded\npipelines: { delays: { release: ${release}, topic: t, sinks: [table], gcGraceSeconds: 0 } }\n`,
      /gcGraceSeconds/,
    ],
  ])("names what is wrong in %j", (content, message) => {
    const parsed = parseEnvironment("staging", content);
    expect(parsed).toMatchObject({ ok: false, problem: { code: "environment-invalid" } });
    expect(parsed.ok ? "" : parsed.problem.message).toMatch(message);
  });
});
