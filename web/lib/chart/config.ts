/** Vega's configuration from the tokens: same faces, same lines, direct and quiet. */
export function chartConfig(colour: (property: string) => string, font: string): object {
  const ink3 = colour("--ink-3");
  const line = colour("--line");
  return {
    font,
    background: "transparent",
    view: { stroke: null },
    axis: {
      domainColor: colour("--line-strong"),
      gridColor: line,
      tickColor: colour("--line-strong"),
      labelColor: ink3,
      titleColor: ink3,
      labelFontSize: 11,
      titleFontSize: 11,
      titleFontWeight: 400,
      ticks: false,
      labelPadding: 6,
    },
    axisX: { grid: false, labelAngle: 0, labelOverlap: true },
    axisY: { domain: false },
    legend: {
      labelColor: colour("--ink-2"),
      titleColor: ink3,
      labelFontSize: 11,
      titleFontSize: 11,
      titleFontWeight: 400,
      symbolSize: 64,
    },
    title: { color: colour("--ink"), fontSize: 13, fontWeight: 600, anchor: "start" },
    header: { labelColor: colour("--ink-2"), titleColor: ink3 },
    mark: { color: colour("--series") },
    bar: { color: colour("--series") },
    line: { color: colour("--accent"), strokeWidth: 1.5 },
    area: { color: colour("--series"), fillOpacity: 0.55 },
    point: { color: colour("--accent"), size: 24, filled: true },
    rule: { color: colour("--line-control") },
    text: { color: colour("--ink"), fontSize: 11 },
    range: {
      category: [
        "--series",
        "--accent",
        "--changed-mark",
        "--added-mark",
        "--removed-mark",
        "--ambiguous-mark",
      ].map(colour),
      heatmap: [colour("--series-soft"), colour("--accent")],
      ramp: [colour("--series-soft"), colour("--accent")],
    },
  };
}
