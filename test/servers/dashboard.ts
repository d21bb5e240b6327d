import { readFileSync } from "node:fs";
import { z } from "zod";

const target = z.object({ refId: z.string().length(1), expr: z.string().min(1) });
const schema = z.object({
  uid: z.string().min(1).max(40),
  title: z.string().min(1),
  schemaVersion: z.int().min(36),
  annotations: z.object({ list: z.array(z.object({ name: z.string(), expr: z.string() })) }),
  templating: z.object({
    list: z.array(
      z.object({
        name: z.string(),
        type: z.enum(["datasource", "query"]),
        definition: z.string().optional(),
      }),
    ),
  }),
  panels: z.array(
    z.object({
      id: z.int(),
      type: z.enum(["row", "stat", "timeseries", "state-timeline", "table"]),
      title: z.string().min(1),
      gridPos: z.object({ x: z.int(), y: z.int(), w: z.int().max(24), h: z.int() }),
      datasource: z
        .object({ type: z.literal("prometheus"), uid: z.literal("${datasource}") })
        .optional(),
      targets: z.array(target).optional(),
    }),
  ),
});

/** deploy/grafana/penstock.json, as far as the tests look at it. */
export const dashboard = schema.parse(
  JSON.parse(readFileSync(new URL("../../deploy/grafana/penstock.json", import.meta.url), "utf8")),
);

/** Every query a person who opens it sends, as Grafana fills in the variables. */
export function queriesOf(values: Record<string, string>): { place: string; query: string }[] {
  const fill = (text: string): string =>
    text.replaceAll(/\$(?:\{(\w+)\}|(\w+))/g, (all, braced?: string, plain?: string) => {
      const value = values[braced ?? plain ?? ""];
      if (value === undefined) throw new Error(`the dashboard uses ${all}, which is no variable`);
      return value;
    });
  return [
    ...dashboard.panels.flatMap(({ title, targets = [] }) =>
      targets.map(({ refId, expr }) => ({ place: `panel "${title}" ${refId}`, query: fill(expr) })),
    ),
    ...dashboard.annotations.list.map(({ name, expr }) => ({
      place: `annotation "${name}"`,
      query: fill(expr),
    })),
    ...dashboard.templating.list.flatMap(({ name, definition }) => {
      const [, metric, label] = /^label_values\((.*), (\w+)\)$/.exec(definition ?? "") ?? [];
      if (metric === undefined) return [];
      return [{ place: `variable ${name}`, query: fill(`count by (${label}) (${metric})`) }];
    }),
  ];
}
