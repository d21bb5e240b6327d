import { expect, test } from "vitest";
import { fittedWarnings } from "./fitted.ts";
import { sliceCells } from "./notebook-slice.ts";

const head = `// %%
import { metric, snapshot, split, sql, transform } from "penstock";
const flights = snapshot("flights@t");
const airports = snapshot("airports@t");
const { train, test } = split(flights).random(0.2, { seed: 1 });
const parts = split(flights).byTime("date", "2001-03-01");
`;
const lookup = (from: string, input: string) => `// %%
const typical = sql\`select origin, median(delay) as typical from \${${from}} group by origin\`;
// %%
const delays = transform(${input}, { lookup: { typical: typical.by("origin") } }, (f, { typical }) => {
  if (f.delay > 90) return null;
  const usual = typical(f.origin)?.typical ?? 0;
  return { ...f, late: f.delay > 15, excess: f.delay - usual };
});
`;
const captured = (from: string, input: string) => `// %%
const rows = await ${from}.rows();
let total = 0;
for (const row of rows) total += row.delay;
const mean = total / rows.length;
const scored = (delay: number) => delay - mean;
// %%
const delays = transform(${input}, (f) => ({ ...f, late: f.delay > 15, excess: scored(f.delay) }));
`;
const nested = (text: string) => `// %%
const again = split(flights).random(0.5);
const inner = split(train).random(0.5);
${text}`;
const excess = 'metric.mean("m", delays, (row) => row.excess);';

const cases: [what: string, notebook: string, metric: string, warns: RegExp | undefined][] = [
  ["a lookup from the same rows", lookup("flights", "flights"), excess, /`typical`.*flights@t/],
  [
    "a lookup from the train part, judged on the test part",
    lookup("train", "test"),
    excess,
    undefined,
  ],
  ["a lookup from the train part, judged on all", lookup("train", "flights"), excess, /flights@t/],
  ["judged on the train part", lookup("train", "train"), excess, /the train part of flights@t/],
  ["a part by its split's name", lookup("parts.train", "parts.test"), excess, undefined],
  ["the other split's part", lookup("parts.train", "test"), excess, /`typical`/],
  ["a lookup from other rows", lookup("airports", "flights"), excess, undefined],
  ["a captured value, through a function", captured("flights", "flights"), excess, /`scored`/],
  ["a captured value of the train part", captured("train", "test"), excess, undefined],
  [
    "the output split as the input was",
    lookup("train", "flights"),
    'metric.mean("m", split(delays).random(0.2, { seed: 1 }).test, (row) => row.excess);',
    undefined,
  ],
  [
    "a part split once more, judged on its other part",
    nested(lookup("inner.train", "inner.test")),
    excess,
    undefined,
  ],
  [
    "a part split once more is another split than the whole's, alike as they read",
    nested(lookup("again.test", "inner.train")),
    excess,
    /`typical`.*the train part of flights@t/,
  ],
  [
    "a split by time before counts for nothing: records are in the same parts",
    `const old = split(parts.train).random(0.2, { seed: 1 });\n${lookup("old.train", "test")}`,
    excess,
    undefined,
  ],
  [
    "two metrics of one name",
    lookup("flights", "flights"),
    `${excess}\nmetric.mean("m", delays, (row) => row.late);`,
    /`typical`/,
  ],
  [
    "a query over the output",
    `${lookup("flights", "flights")}const worst = sql\`select max(excess) as excess from \${delays}\`;\n`,
    'metric.mean("m", worst, (row) => row.excess);',
    /`typical`/,
  ],
  [
    "a column that does not depend on it",
    lookup("flights", "flights"),
    'metric.mean("m", delays, (row) => row.late);',
    undefined,
  ],
  [
    "a column of the input",
    lookup("flights", "flights"),
    'metric.mean("m", delays, (row) => row.delay);',
    undefined,
  ],
  [
    "a metric that may look at any column",
    lookup("flights", "flights"),
    'metric("m", delays, (rows) => rows.length);',
    /`typical`/,
  ],
  [
    "rows left out by what was fitted",
    lookup("flights", "flights").replace(
      "if (f.delay > 90)",
      "if (f.delay > (typical(f.origin)?.typical ?? 0))",
    ),
    'metric.mean("m", delays, (row) => row.late);',
    /`typical`/,
  ],
  [
    "the metric's own captured value",
    captured("flights", "flights"),
    'metric.mae("m", flights, (row) => row.delay, () => mean);',
    /`mean`, which the metric uses/,
  ],
  [
    "a number written down",
    "// %%\nconst limit = 15;\nconst delays = transform(flights, (f) => ({ excess: f.delay - limit }));\n",
    excess,
    undefined,
  ],
];

test.each(cases)("%s", (_, notebook, metric, warns) => {
  const warnings = fittedWarnings(sliceCells(`${head}${notebook}// %%\n${metric}\n`)).get("m");
  if (warns === undefined) expect(warnings).toEqual([]);
  else expect(warnings).toEqual([expect.stringMatching(warns)]);
});
