import { expect, test } from "vitest";
import { layoutGraph } from "./layout-graph.ts";

const node = (id: string) => ({ id, label: id });

test("a cell stands below everything it uses, and nothing overlaps", () => {
  const nodes = ["flights", "typical", "delays", "share", "hour"].map(node);
  const edges = [
    { from: "flights", to: "typical" },
    { from: "flights", to: "delays" },
    { from: "typical", to: "delays" },
    { from: "delays", to: "share" },
    { from: "delays", to: "hour" },
  ];
  const graph = layoutGraph(nodes, edges, 288);
  const at = new Map(graph.nodes.map((each) => [each.id, each]));
  for (const { from, to } of edges)
    expect(at.get(to)?.y).toBeGreaterThan(at.get(from)?.y ?? Infinity);
  const overlaps = graph.nodes.flatMap((a) =>
    graph.nodes.filter(
      (b) => a.id < b.id && a.y === b.y && a.x + a.width > b.x && b.x + b.width > a.x,
    ),
  );
  expect(overlaps).toEqual([]);
  expect(graph.paths).toHaveLength(5);
});

test("a hundred cells on one layer wrap within the panel", () => {
  const nodes = Array.from({ length: 100 }, (_, index) => node(`value${index}`));
  const graph = layoutGraph(nodes, [], 288);
  for (const each of graph.nodes) {
    expect(each.x).toBeGreaterThanOrEqual(0);
    expect(each.x + each.width).toBeLessThanOrEqual(288);
  }
});

test("a cycle, which the session reports, is drawn rather than looped over", () => {
  const graph = layoutGraph(
    [node("a"), node("b")],
    [
      { from: "a", to: "b" },
      { from: "b", to: "a" },
    ],
    288,
  );
  expect(graph.nodes).toHaveLength(2);
});
