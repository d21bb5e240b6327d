import type { CellId } from "#kernel/document.ts";

export type GraphNode = { id: CellId; label: string };
export type GraphEdge = { from: CellId; to: CellId };
export type PlacedNode = GraphNode & { x: number; y: number; width: number };
export type PlacedGraph = {
  nodes: PlacedNode[];
  paths: { from: CellId; to: CellId; d: string }[];
  width: number;
  height: number;
};

const rowPx = 44;
const nodePx = 24;
const gapPx = 8;
const charPx = 6.7;

/** A place an edge passes on its way through a layer, or a node. */
type Slot = { id: string; node?: GraphNode };
type Step = { from: string; to: string };

/**
 * Layers from top to bottom: a node stands below everything it uses (longest path), within a layer near the middle of
 * what it uses (barycentre; Sugiyama, Tagawa and Toda 1981). An edge over several layers passes each at a place of its own, so
 * that it never runs behind a node. Layers wider than the panel wrap.
 */
export function layoutGraph(
  nodes: readonly GraphNode[],
  edges: readonly GraphEdge[],
  width: number,
): PlacedGraph {
  const ids = new Set(nodes.map((node) => node.id));
  const links = distinct(
    edges.filter((edge) => ids.has(edge.from) && ids.has(edge.to) && edge.from !== edge.to),
  );
  const depth = depths(nodes, links);
  const layers: Slot[][] = [];
  const slotsOf = (at: number) => (layers[at] ??= []);
  const joined = new Set(links.flatMap((link) => [link.from, link.to]));
  for (const node of nodes)
    if (joined.has(node.id)) slotsOf(depth.get(node.id) ?? 0).push({ id: node.id, node });
  const routes = links.map((link) => route(link, depth, slotsOf));
  const steps = routes.flatMap((stops): Step[] =>
    stops.slice(1).map((to, index) => ({ from: stops[index] ?? to, to })),
  );
  order(layers, steps);
  // What neither uses nor is used stands below, out of the edges' way.
  layers.push(nodes.filter((node) => !joined.has(node.id)).map((node) => ({ id: node.id, node })));
  const rows = layers.filter((layer) => layer.length > 0).flatMap((layer) => wrapped(layer, width));
  const spots = new Map<string, Spot>();
  rows.forEach((row, index) => place(row, index, width, steps, spots));
  centre(spots, width);
  return {
    nodes: nodes.flatMap((node) => {
      const spot = spots.get(node.id);
      return spot ? [{ ...node, ...spot }] : [];
    }),
    paths: links.map(({ from, to }, index) => ({ from, to, d: curve(routes[index] ?? [], spots) })),
    width,
    height: rows.length * rowPx + gapPx,
  };
}

function distinct(edges: readonly GraphEdge[]): GraphEdge[] {
  return [...new Map(edges.map((edge) => [`${edge.from} ${edge.to}`, edge])).values()];
}

function depths(nodes: readonly GraphNode[], links: readonly GraphEdge[]): Map<CellId, number> {
  const depth = new Map<CellId, number>();
  const depthOf = (id: CellId, above: ReadonlySet<CellId>): number => {
    const known = depth.get(id);
    if (known !== undefined) return known;
    if (above.has(id)) return 0;
    const next = new Set(above).add(id);
    const parents = links
      .filter((link) => link.to === id)
      .map((link) => depthOf(link.from, next) + 1);
    const own = Math.max(0, ...parents);
    depth.set(id, own);
    return own;
  };
  for (const node of nodes) depthOf(node.id, new Set());
  return depth;
}

/** The stops of an edge: its ends, and a slot in each layer between. */
function route(
  link: GraphEdge,
  depth: ReadonlyMap<CellId, number>,
  slotsOf: (at: number) => Slot[],
): string[] {
  const stops = [link.from];
  const first = depth.get(link.from) ?? 0;
  const last = depth.get(link.to) ?? 0;
  for (let at = first + 1; at < last; at += 1) {
    const id = `${link.from} ${link.to} ${at}`;
    slotsOf(at).push({ id });
    stops.push(id);
  }
  return [...stops, link.to];
}

function order(layers: Slot[][], steps: readonly Step[]): void {
  for (let index = 1; index < layers.length; index += 1) {
    const above = new Map((layers[index - 1] ?? []).map((slot, at) => [slot.id, at]));
    const middle = (slot: Slot) => {
      const at = steps
        .filter((step) => step.to === slot.id)
        .map((step) => above.get(step.from))
        .filter((each) => each !== undefined);
      return at.length === 0
        ? Number.MAX_SAFE_INTEGER
        : at.reduce((sum, each) => sum + each, 0) / at.length;
    };
    layers[index]?.sort((a, b) => middle(a) - middle(b));
  }
}

type Spot = { x: number; y: number; width: number };

function slotWidth({ node }: Slot, width: number): number {
  if (!node) return 4;
  return Math.min(width - 2 * gapPx, Math.max(64, Math.ceil(node.label.length * charPx) + 16));
}

function wrapped(layer: Slot[], width: number): Slot[][] {
  const rows: Slot[][] = [[]];
  let used = gapPx;
  for (const slot of layer) {
    const need = slotWidth(slot, width) + gapPx;
    if (used + need > width && (rows.at(-1)?.length ?? 0) > 0) {
      rows.push([]);
      used = gapPx;
    }
    rows.at(-1)?.push(slot);
    used += need;
  }
  return rows;
}

/** Puts a row's slots as near below what they use as their neighbours allow. */
function place(
  row: Slot[],
  index: number,
  width: number,
  steps: readonly Step[],
  spots: Map<string, Spot>,
): void {
  const widths = row.map((slot) => slotWidth(slot, width));
  const total = widths.reduce((sum, each) => sum + each, 0);
  const even = Math.max(gapPx, Math.min(32, (width - total) / (row.length + 1)));
  let x = (width - total - even * (row.length - 1)) / 2;
  const starts = row.map((slot, at) => {
    const own = widths[at] ?? 64;
    const above = steps.flatMap((step) =>
      step.to === slot.id ? (spots.get(step.from) ?? []) : [],
    );
    const middle = above.reduce((sum, each) => sum + each.x + each.width / 2, 0) / above.length;
    const wanted = above.length > 0 ? middle - own / 2 : x;
    x += own + even;
    return wanted;
  });
  // Apart from left to right, then back in from the right edge.
  for (let at = 0; at < row.length; at += 1) {
    const left = at === 0 ? gapPx : (starts[at - 1] ?? 0) + (widths[at - 1] ?? 0) + gapPx;
    starts[at] = Math.max(starts[at] ?? 0, left);
  }
  for (let at = row.length - 1; at >= 0; at -= 1) {
    const right = at === row.length - 1 ? width - gapPx : (starts[at + 1] ?? width) - gapPx;
    starts[at] = Math.min(starts[at] ?? 0, right - (widths[at] ?? 0));
  }
  row.forEach((slot, at) => {
    spots.set(slot.id, {
      x: Math.round(starts[at] ?? 0),
      y: gapPx + index * rowPx,
      width: widths[at] ?? 64,
    });
  });
}

function centre(spots: Map<string, Spot>, width: number): void {
  const left = Math.min(...[...spots.values()].map((spot) => spot.x));
  const right = Math.max(...[...spots.values()].map((spot) => spot.x + spot.width));
  const shift = Math.round((width - right - left) / 2);
  for (const [id, spot] of spots) spots.set(id, { ...spot, x: spot.x + shift });
}

function curve(stops: readonly string[], spots: ReadonlyMap<string, Spot>): string {
  const points = stops.flatMap((stop) => spots.get(stop) ?? []);
  return points
    .slice(1)
    .map((to, index) => {
      const from = points[index] ?? to;
      const isLast = index === points.length - 2;
      const x1 = from.x + from.width / 2;
      const x2 = to.x + to.width / 2;
      const y1 = from.y + nodePx;
      const y2 = to.y;
      const bend = (y2 - y1) / 2;
      const through = isLast ? "" : `L${x2} ${y2 + nodePx}`;
      return `${index === 0 ? `M${x1} ${y1}` : ""}C${x1} ${y1 + bend} ${x2} ${y2 - bend} ${x2} ${y2}${through}`;
    })
    .join("");
}
