import { afterEach, expect, test } from "vitest";
import { elasticsearchSchema, kafkaSchema } from "../connections.ts";
import { freshPlace, specOf, type FixturePlace } from "../fixture.ts";
import type { Where } from "../pipeline-spec.ts";
import { closedPort } from "./frozen-server.ts";
import { withGenerations } from "./generations.ts";

let place: FixturePlace;
afterEach(() => place.remove());

/** Kafka is never asked. */
function elasticsearchAt(port: number): Where {
  return {
    kind: "servers",
    kafka: kafkaSchema.parse({ brokers: ["127.0.0.1:1"] }),
    elasticsearch: elasticsearchSchema.parse({ nodes: [`http://127.0.0.1:${port}`] }),
  };
}

test("a look at the indices while Elasticsearch is away says that nobody tries again", async () => {
  place = freshPlace();
  const where = elasticsearchAt(await closedPort());
  const spec = await specOf(place, { where, sinks: ["search"] });
  const seen = await withGenerations(
    spec,
    { root: place.root, folders: place.workspace.paths },
    (generations, contract) => generations.list(contract),
  );
  expect(seen).toMatchObject({
    ok: false,
    problem: {
      code: "elasticsearch-unreachable",
      hint: "Try again once Elasticsearch answers.",
    },
  });
});
