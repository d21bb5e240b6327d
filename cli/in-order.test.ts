import { expect, test } from "vitest";
import { inOrder } from "./in-order.ts";

test("pipelines follow their environments; those of one that is gone come last", () => {
  const environments = [{ name: "staging" }, { name: "production" }];
  const pipelines = [
    { environment: "gone", name: "a" },
    { environment: "production", name: "a" },
    { environment: "production", name: "b" },
    { environment: "staging", name: "a" },
  ];
  expect(
    inOrder(environments, pipelines).map(({ environment, name }) => `${environment}:${name}`),
  ).toEqual(["staging:a", "production:a", "production:b", "gone:a"]);
});
