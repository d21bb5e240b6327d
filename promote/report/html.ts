import { createHash } from "node:crypto";
import type { DiffColumn, DiffSummary } from "#snapshots/diff.ts";
import {
  answerOf,
  columnsOf,
  countsOf,
  coverOf,
  group,
  keyOf,
  pairingOf,
  remarksOf,
  renamesOf,
  sampleCells,
  sampleGroups,
  shareOf,
  signs,
  sumsOf,
  titleOf,
  typeOf,
  type DiffReport,
  type SampleGroup,
} from "./report.ts";
import { outcomeLines, outcomeNotes, outcomeTitles, type OutcomeLine } from "./outcomes.ts";
import { valuePair, valueText, visible } from "./value.ts";

const longestValue = 400;

/** Text in which nothing is markup; made by `html` and `escaped` only. */
type Safe = { safe: string };

/**
 * A diff as one page that stands by itself: no script, nothing loaded, light and dark by the project's tokens. `tokens` is the text of
 * web/lib/tokens.css. The policy in it allows exactly its own style.
 */
export function htmlReport(report: DiffReport, tokens: string): string {
  const { left, right, summary, where } = report;
  const css = `${tokens}\n${style}`;
  const policy = `default-src 'none'; style-src 'sha256-${createHash("sha256").update(css).digest("base64")}'; base-uri 'none'; form-action 'none'`;
  const answer = answerOf(summary);
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta http-equiv="Content-Security-Policy" content="${policy}" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${left.label} → ${right.label}: ${answer}</title>
        ${{ safe: `<style>${css}</style>` }}
      </head>
      <body>
        <main>
          <header>
            <h1>${answer.charAt(0).toUpperCase() + answer.slice(1)}</h1>
            <p class="sides">
              <bdi>${left.label}</bdi> <span aria-label="against">→</span> <bdi>${right.label}</bdi>
            </p>
            <p class="quiet">
              ${pairingOf(summary)}${where === undefined ? "" : ` Only rows where ${where}.`}
            </p>
            ${(report.facts ?? []).map((fact) => html`<p class="quiet">${fact}</p>`)}
            ${remarksOf(report).map((remark) => html`<p class="note">${remark}</p>`)}
          </header>
          ${counts(report)} ${outcomes(report)} ${columns(report)} ${causes(report)}
          ${sampleGroups(summary).map((one) => samples(one, summary))}
        </main>
      </body>
    </html> `;
  return page.safe;
}

function counts({ summary }: DiffReport): Safe {
  const all = countsOf(summary);
  // A kind that is there is seen, however few rows it has.
  const sum = all.reduce((total, { rows }) => total + rows, 0);
  const widths = all.map(({ rows }) => (rows === 0 ? 0 : Math.max(0.005, rows / sum)));
  const whole = widths.reduce((total, width) => total + width, 0);
  let at = 0;
  const bars = all.map(({ kind, rows, text }, i) => {
    if (rows === 0) return html``;
    const width = (100 * (widths[i] ?? 0)) / whole;
    const bar = html`<rect
      class="${kind}"
      x="${at.toFixed(3)}%"
      width="${width.toFixed(3)}%"
      height="100%"
      ><title>${group(rows)} ${text}</title></rect
    >`;
    at += width;
    return bar;
  });
  return html`<section aria-label="Counts">
    <svg
      class="bar"
      role="img"
      aria-label="${all.map(({ rows, text }) => `${group(rows)} ${text}`).join(", ")}"
    >
      ${bars}
    </svg>
    <ul class="counts">
      ${all.map(({ kind, rows, text }) => html`<li class="${rows === 0 ? "none" : kind}"><span class="sign">${signs[kind]}</span> <b>${group(rows)}</b> ${text}</li>`)}
    </ul>
    ${sumsOf(summary).map(({ side, total: rows, parts, words }) => html`<p class="sum">${side} <b>${group(rows)}</b> = ${parts.map(group).join(" + ")} <span class="quiet">(${words})</span></p>`)}
  </section>`;
}

function outcomes({ metrics = [] }: DiffReport): Safe {
  if (metrics.length === 0) return html``;
  const head = outcomeTitles.map((title) => title.replace(/^>/, ""));
  const row = ({ name, isSegment, figures, verdict }: OutcomeLine) =>
    html`<tr>
      <th scope="row" class="${isSegment ? "segment" : "metric"}"><bdi>${name}</bdi></th>
      ${figures.map((figure) => html`<td class="number">${figure}</td>`)}
      <td class="${verdict}">${verdict}</td>
    </tr>`;
  return html`<section>
    <h2>Outcomes</h2>
    <div class="scroll" tabindex="0">
      <table>
        <thead>
          <tr>
            ${head.map((title, i) => html`<th scope="col" class="${i > 0 && i < 5 ? "number" : ""}">${title.charAt(0).toUpperCase() + title.slice(1)}</th>`)}
          </tr>
        </thead>
        <tbody>
          ${outcomeLines(metrics).map(row)}
        </tbody>
      </table>
    </div>
    ${outcomeNotes(metrics).map((note) => html`<p class="quiet">${note}</p>`)}
  </section>`;
}

function columns({ summary }: DiffReport): Safe {
  const { telling, silent, ignored } = columnsOf(summary);
  const quiet = [
    ...(silent === 0
      ? []
      : [`${group(silent)} ${silent === 1 ? "column is" : "columns are"} the same.`]),
    ...(ignored.length === 0 ? [] : [`Ignored: ${ignored.map(({ name }) => name).join(", ")}.`]),
    ...renamesOf(summary),
  ];
  const most = Math.max(1, ...telling.map(({ changed }) => changed));
  const row = (column: DiffColumn) => {
    const isOneSided = column.status === "added" || column.status === "removed";
    const width = ((100 * column.changed) / most).toFixed(2);
    return html`<tr>
      <th scope="row"><bdi>${column.name}</bdi></th>
      <td class="quiet">${typeOf(column)}</td>
      ${
        isOneSided
          ? html`<td colspan="3">
              <span class="${column.status}"
                >${column.status === "added" ? signs.added : signs.removed} ${column.status}</span
              >
            </td>`
          : html`<td class="number">${group(column.changed)}</td>
              <td class="number">${shareOf(column.changed, summary)}</td>
              <td>
                <svg class="small" aria-hidden="true">
                  <rect class="changed" width="${width}%" height="100%" />
                </svg>
              </td>`
      }
      <td class="number">${some(column.nullToValue)}</td>
      <td class="number">${some(column.valueToNull)}</td>
      <td class="number">${String(column.largestDifference ?? "")}</td>
      <td>${column.rule ?? ""}</td>
    </tr>`;
  };
  const table = html`<div class="scroll" tabindex="0">
    <table>
      <thead>
        <tr>
          <th scope="col">Column</th>
          <th scope="col">Type</th>
          <th scope="col" class="number">Changed</th>
          <th scope="col" class="number">Of paired</th>
          <td></td>
          <th scope="col" class="number">NULL → value</th>
          <th scope="col" class="number">Value → NULL</th>
          <th scope="col" class="number">Largest</th>
          <th scope="col">Rule</th>
        </tr>
      </thead>
      <tbody>
        ${telling.map(row)}
      </tbody>
    </table>
  </div>`;
  return html`<section>
    <h2>Columns</h2>
    ${telling.length === 0 ? html`` : table}
    ${quiet.length === 0 ? html`` : html`<p class="quiet">${quiet.join(" ")}</p>`}
  </section>`;
}

function some(rows: number): string {
  return rows === 0 ? "" : group(rows);
}

function causes({ summary, search }: DiffReport): Safe {
  if (summary.causes.length === 0) {
    if (!search?.complete) return html``;
    return html`<section>
      <h2>What explains it</h2>
      <p class="quiet">No one cause explains the differences.</p>
    </section>`;
  }
  const items = summary.causes.map(
    (cause) => html`<li><bdi>${cause.text}</bdi> <span class="quiet">${coverOf(cause)}</span></li>`,
  );
  return html`<section>
    <h2>What explains it</h2>
    <ol>
      ${items}
    </ol>
  </section>`;
}

function samples(one: SampleGroup, summary: DiffSummary): Safe {
  const isPaired = one.samples.every(({ left, right }) => left && right);
  const key = (values: unknown[]) =>
    values.map((value) => valueText(value, longestValue)).join(", ");
  const rows = one.samples.flatMap((sample) => {
    const cells = sampleCells(sample, summary.keys);
    if (isPaired) {
      return cells.map(({ column, before, after }, i) => {
        const [left, right] = valuePair(before, after, longestValue);
        const head =
          i === 0
            ? html`<th scope="rowgroup" rowspan="${String(cells.length)}">
                <bdi>${key(keyOf(sample, summary))}</bdi>
              </th>`
            : html``;
        return html`<tr>
          ${head}
          <td><bdi>${column}</bdi></td>
          <td class="removed value">${cell(before, left)}</td>
          <td class="added value">${cell(after, right)}</td>
        </tr>`;
      });
    }
    const values = cells.map(
      ({ column, before, after }) =>
        html`<span class="pair"
          ><span class="quiet"><bdi>${column}</bdi></span> ${cell(before ?? after)}</span
        > `,
    );
    return [
      html`<tr>
        <th scope="row"><bdi>${key(keyOf(sample, summary))}</bdi></th>
        <td class="value">${values}</td>
      </tr>`,
    ];
  });
  const head = isPaired ? ["Key", "Column", "Before", "After"] : ["Key", "Row"];
  return html`<section>
    <h2 class="${one.kind}"><span class="sign">${signs[one.kind]}</span> ${titleOf(one)}</h2>
    <div class="scroll" tabindex="0">
      <table>
        <thead>
          <tr>
            ${head.map((title) => html`<th scope="col">${title}</th>`)}
          </tr>
        </thead>
        <tbody>
          ${rows}
        </tbody>
      </table>
    </div>
  </section>`;
}

function cell(value: unknown, text = valueText(value, longestValue)): Safe {
  if (value === null || value === undefined) return html`<span class="null">NULL</span>`;
  return html`<bdi>${text}</bdi>`;
}

const entities: Record<string, string> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function escaped(text: string): string {
  return visible(text).replace(/[&<>"']/g, (found) => entities[found] ?? "");
}

/** A template whose texts are escaped, as an element's content and as an attribute in quotes. */
function html(parts: TemplateStringsArray, ...values: (string | Safe | Safe[])[]): Safe {
  const written = values.map((value) => {
    if (typeof value === "string") return escaped(value);
    return Array.isArray(value) ? value.map(({ safe }) => safe).join("") : value.safe;
  });
  return { safe: parts.map((part, i) => `${part}${written[i] ?? ""}`).join("") };
}

const style = `
* { box-sizing: border-box; }
body { margin: 0; background: var(--bg); color: var(--ink); font: var(--text-lg); }
main { max-width: 1120px; margin: 0 auto; padding: var(--s6) var(--s6) var(--s12); }
h1 { font: var(--text-2xl); font-weight: var(--bold); margin: 0 0 var(--s1); }
h2 { font: var(--text-xl); font-weight: var(--bold); margin: var(--s8) 0 var(--s2); }
p { margin: var(--s1) 0; max-width: 90ch; }
.sides { font: var(--text-xl); overflow-wrap: anywhere; max-width: none; }
.segment { padding-left: var(--s6); font-weight: 400; }
td.improved { color: var(--added); }
td.worse { color: var(--removed); }
.quiet, thead th { color: var(--ink-3); }
.note { background: var(--warn-soft); color: var(--ink); border-left: 3px solid var(--warn-mark); padding: var(--s2) var(--s3); }
.bar { display: block; width: 100%; height: 20px; margin: var(--s6) 0 var(--s3); border-radius: var(--radius-s); background: var(--bg-sunken); }
.small { display: block; margin-top: 6px; width: 96px; height: 8px; background: var(--bg-sunken); border-radius: var(--radius-s); }
rect.equal { fill: var(--equal-mark); }
rect.changed { fill: var(--changed-mark); }
rect.added { fill: var(--added-mark); }
rect.removed { fill: var(--removed-mark); }
rect.ambiguous { fill: var(--ambiguous-mark); }
.counts { list-style: none; display: flex; flex-wrap: wrap; gap: var(--s1) var(--s6); padding: 0; margin: 0 0 var(--s3); }
.sign { display: inline-block; min-width: 1ch; font-weight: var(--bold); }
.counts .equal, h2.equal { color: var(--equal); }
.counts .changed, h2.changed { color: var(--changed); }
.counts .added, h2.added, span.added { color: var(--added); }
.counts .removed, h2.removed, span.removed { color: var(--removed); }
.counts .ambiguous, h2.ambiguous { color: var(--ambiguous); }
.counts .none { color: var(--ink-3); }
.sum, .number, .counts { font-variant-numeric: tabular-nums; }
.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: var(--radius); }
.scroll:focus-visible { box-shadow: var(--focus); outline: none; }
table { border-collapse: collapse; width: 100%; font: var(--text-md); }
th, td { text-align: left; vertical-align: top; padding: var(--s1) var(--s3); border-top: 1px solid var(--line); }
thead th, thead td { border-top: 0; background: var(--bg-sunken); font-weight: var(--medium); white-space: nowrap; }
tbody th { font-weight: var(--medium); }
.number { text-align: right; white-space: nowrap; }
.value { font: var(--text-code); overflow-wrap: anywhere; min-width: 12ch; }
td.added { background: var(--added-soft); }
td.removed { background: var(--removed-soft); }
.null { color: var(--ink-3); font-style: italic; }
.pair { display: inline-block; margin-right: var(--s4); }
ol { margin: 0; padding-left: var(--s6); }
li { overflow-wrap: anywhere; }
@media print { .scroll { overflow: visible; } }
`;
