import { count } from "../format.ts";

type Channel = { field?: string; aggregate?: string; title?: string };

/** What a chart shows, in words: its own description where it has one, else its mark, its axes and how many rows. */
export function describe(spec: unknown, rows: readonly unknown[]): string {
  if (!spec || typeof spec !== "object") return "Chart";
  const { description, title, mark, encoding } = spec as {
    description?: unknown;
    title?: unknown;
    mark?: unknown;
    encoding?: Record<string, Channel>;
  };
  if (typeof description === "string") return description;
  const kind =
    typeof mark === "string" ? mark : ((mark as { type?: string } | undefined)?.type ?? "layered");
  const axis = (name: string) => {
    const channel = encoding?.[name];
    if (!channel) return undefined;
    return channel.title ?? [channel.aggregate, channel.field].filter(Boolean).join(" of ");
  };
  const axes = [axis("y"), axis("x")].filter(Boolean).join(" by ");
  const lead = typeof title === "string" ? `${title}: ` : "";
  return `${lead}${kind} chart${axes ? ` of ${axes}` : ""}, ${count(rows.length)} ${rows.length === 1 ? "row" : "rows"}`;
}
