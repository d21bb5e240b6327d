/** When a row expires, by its moment as JSON has it; undefined: never. */
export function expiryMs(moment: unknown): number | undefined {
  if (typeof moment !== "string") return undefined;
  const hasZone = moment.endsWith("Z") || !moment.includes("T");
  const ms = Date.parse(hasZone ? moment : `${moment}Z`);
  return Number.isNaN(ms) ? undefined : ms;
}
