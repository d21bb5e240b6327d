import type { CellId } from "#kernel/document.ts";

export type GraphNode = { id: CellId; label: string };
export type GraphEdge = { from: CellId; to: CellId };
export type PlacedNode = GraphNode & { x: number; y: number; width: number };
export type PlacedGraph = { nodes: PlacedNode[]; paths: { from: CellId; to: CellId; d: string }[]; width: number; height: number };

const rowPx = 44;
const nodePx = 24;
const gapPx = 8;
const charPx = 6.7;

/**
 * Layers from top to bottom: a node stands below everything it uses (longest path), within a layer near the middle of
 * what it uses (barycentre, two sweeps; Sugiyama, Tagawa and Toda 1981). Layers wider than the panel wrap.
 */
export function layoutGraph(nodes: readonly GraphNode[], edges: readonly GraphEdge[], width: number): PlacedGraph {
  const ids = new Set(nodes.map((node) => node.id));
  const links = edges.filter((edge) => ids.has(edge.from) && ids.has(edge.to) && edge.from !== edge.to);
  const layers = layersOf(nodes, links);
  order(layers, links);
  const rows = layers.flatMap((layer) => wrapped(layer, width));
  const placed = new Map<CellId, PlacedNode>();
  rows.forEach((row, index) => place(row, index, width, placed));
  return {
    nodes: [...placed.values()],
    paths: links.flatMap(({ from, to }) => {
      const a = placed.get(from);
      const b = placed.get(to);
      return a && b ? [{ from, to, d: curve(a, b) }] : [];
    }),
    width,
    height: rows.length * rowPx + gapPx,
  };
}

function layersOf(nodes: readonly GraphNode[], links: readonly GraphEdge[]): GraphNode[][] {
  const depth = new Map<CellId, number>();
  const depthOf = (id: CellId, above: ReadonlySet<CellId>): number => {
    const known = depth.get(id);
    if (known !== undefined) return known;
    if (above.has(id)) return 0;
    const next = new Set(above).add(id);
    const parents = links.filter((link) => link.to === id).map((link) => depthOf(link.from, next) + 1);
    const own = Math.max(0, ...parents);
    depth.set(id, own);
    return own;
  };
  const layers: GraphNode[][] = [];
  for (const node of nodes) (layers[depthOf(node.id, new Set())] ??= []).push(node);
  return layers.map((layer) => layer ?? []);
}

function order(layers: GraphNode[][], links: readonly GraphEdge[]): void {
  for (let sweep = 0; sweep < 2; sweep += 1) {
    for (let index = 1; index < layers.length; index += 1) {
      const above = new Map((layers[index - 1] ?? []).map((node, at) => [node.id, at]));
      const middle = (node: GraphNode) => {
        const at = links.filter((link) => link.to === node.id).map((link) => above.get(link.from)).filter((each) => each !== undefined);
        return at.length === 0 ? Number.MAX_SAFE_INTEGER : at.reduce((sum, each) => sum + each, 0) / at.length;
      };
      layers[index]?.sort((a, b) => middle(a) - middle(b));
    }
  }
}

function nodeWidth(node: GraphNode, width: number): number {
  return Math.min(width - 2 * gapPx, Math.max(64, Math.ceil(node.label.length * charPx) + 16));
}

function wrapped(layer: GraphNode[], width: number): GraphNode[][] {
  const rows: GraphNode[][] = [[]];
  let used = gapPx;
  for (const node of layer) {
    const need = nodeWidth(node, width) + gapPx;
    if (used + need > width && (rows.at(-1)?.length ?? 0) > 0) {
      rows.push([]);
      used = gapPx;
    }
    rows.at(-1)?.push(node);
    used += need;
  }
  return rows;
}

function place(row: GraphNode[], index: number, width: number, placed: Map<CellId, PlacedNode>): void {
  const widths = row.map((node) => nodeWidth(node, width));
  const total = widths.reduce((sum, each) => sum + each, 0);
  const gap = Math.max(gapPx, Math.min(40, (width - total) / (row.length + 1)));
  let x = (width - total - gap * (row.length - 1)) / 2;
  row.forEach((node, at) => {
    const own = widths[at] ?? 64;
    placed.set(node.id, { ...node, x: Math.round(x), y: gapPx + index * rowPx, width: own });
    x += own + gap;
  });
}

function curve(from: PlacedNode, to: PlacedNode): string {
  const x1 = from.x + from.width / 2;
  const x2 = to.x + to.width / 2;
  const y1 = from.y + nodePx;
  const y2 = to.y;
  const bend = Math.max(10, (y2 - y1) / 2);
  return `M${x1} ${y1}C${x1} ${y1 + bend} ${x2} ${y2 - bend} ${x2} ${y2}`;
}
