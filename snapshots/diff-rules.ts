import { fail, ok, type Problem, type Result } from "./problem.ts";

/**
 * How the values of a column are compared where not exactly. `trim`, `case`, `nfc` and `set` bring a value into one form before anything else;
 * `absolute`, `relative` and `duration` let two values that belong together be apart. Amounts are decimal text, so that none is rounded.
 */
export type DiffRule = {
  absolute?: string;
  relative?: string;
  /** For example `5s`, `1h30m`; ns, us, ms, s, m, h, d. */
  duration?: string;
  trim?: true;
  case?: true;
  nfc?: true;
  /** A list or map as a set: order and repeats are of no account. */
  set?: true;
};

/** By column. `*` stands for every column that has no rule of its own, as far as a rule can apply to it. */
export type DiffRules = Record<string, DiffRule>;

export type RuleName = keyof DiffRule;

const words: Record<string, RuleName> = { abs: "absolute", rel: "relative", duration: "duration" };
const flags = ["trim", "case", "nfc", "set"] as const;
const known = "abs:0.01, rel:1e-6, duration:5s, trim, case, nfc or set";

/** Reads `COL=RULE[,RULE]`, each an argument of `--tolerance`. A column named twice has both. */
export function parseRules(texts: string[]): Result<DiffRules> {
  const rules: DiffRules = {};
  for (const text of texts) {
    // A column's name may hold a `=`; a rule does not.
    const at = text.lastIndexOf("=");
    if (at < 1) return fail(badRule(text, "is not COLUMN=RULE", "For example delay=abs:0.01."));
    const column = text.slice(0, at);
    const rule = parseRule(text.slice(at + 1));
    if (!rule.ok) return rule;
    Object.defineProperty(rules, column, {
      value: { ...(Object.hasOwn(rules, column) ? rules[column] : {}), ...rule.value },
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
  return ok(rules);
}

/** Reads rules between commas: `abs:0.01,rel:1e-6`. */
export function parseRule(text: string): Result<DiffRule> {
  const rule: DiffRule = {};
  for (const part of text.split(",").map((word) => word.trim())) {
    const flag = flags.find((name) => name === part);
    if (flag !== undefined) {
      rule[flag] = true;
      continue;
    }
    const [word = "", amount = ""] = part.split(/:(.*)/s);
    const name = Object.hasOwn(words, word) ? words[word] : undefined;
    if (name === undefined) return fail(badRule(part, "is not a rule", `A rule is ${known}.`));
    const problem = badAmount(name, amount);
    if (problem !== undefined) return fail(problem);
    Object.assign(rule, { [name]: amount });
  }
  return ok(rule);
}

/** The rules as `parseRule` reads them. */
export function formatRule(rule: DiffRule): string {
  return [
    ...(rule.absolute === undefined ? [] : [`abs:${rule.absolute}`]),
    ...(rule.relative === undefined ? [] : [`rel:${rule.relative}`]),
    ...(rule.duration === undefined ? [] : [`duration:${rule.duration}`]),
    ...flags.filter((flag) => rule[flag]),
  ].join(",");
}

/** What is wrong with a rule's amounts. */
export function badRuleAmount(rule: DiffRule): Problem | undefined {
  for (const name of ["absolute", "relative", "duration"] as const) {
    const amount = rule[name];
    const problem = amount === undefined ? undefined : badAmount(name, amount);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function badAmount(name: RuleName, amount: string): Problem | undefined {
  if (name === "duration") {
    if (durationNanoseconds(amount) !== undefined) return undefined;
    return badRule(
      `duration:${amount}`,
      "is not a duration",
      "For example duration:5s, duration:250ms or duration:1h30m (ns, us, ms, s, m, h, d).",
    );
  }
  if (exactAmount(amount) !== undefined) return undefined;
  const word = name === "absolute" ? "abs" : "rel";
  return badRule(
    `${word}:${amount}`,
    "needs a number of 0 or more",
    `For example ${word}:0.01 or ${word}:1e-6.`,
  );
}

function badRule(text: string, what: string, hint: string): Problem {
  return { code: "bad-tolerance", message: `\`${text}\` ${what}.`, hint };
}

/** A decimal number as digits · 10^−scale. Undefined where the text is none, or one of more than 400 places. */
export function exactAmount(text: string): { digits: bigint; scale: number } | undefined {
  const found = /^(?=\.?\d)(\d*)(?:\.(\d*))?(?:e([+-]?\d{1,3}))?$/i.exec(text.trim());
  if (found === null || text.length > 400) return undefined;
  const [, whole = "", fraction = "", exponent = "0"] = found;
  const scale = fraction.length - Number(exponent);
  const digits = BigInt(`${whole}${fraction}` || "0");
  return scale < 0 ? { digits: digits * 10n ** BigInt(-scale), scale: 0 } : { digits, scale };
}

const nanoseconds: Record<string, bigint> = {
  ns: 1n,
  us: 1000n,
  µs: 1000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  min: 60_000_000_000n,
  h: 3_600_000_000_000n,
  d: 86_400_000_000_000n,
};

/** How long `1h30m` is; undefined where the text is no duration. */
export function durationNanoseconds(text: string): bigint | undefined {
  const part = /(\d+(?:\.\d+)?)\s*(ns|us|µs|ms|min|s|m|h|d)\s*/gy;
  let total = 0n;
  let at = 0;
  for (let found = part.exec(text); found !== null; found = part.exec(text)) {
    const amount = exactAmount(found[1] ?? "");
    const unit = nanoseconds[found[2] ?? ""];
    if (amount === undefined || unit === undefined) return undefined;
    total += (amount.digits * unit) / 10n ** BigInt(amount.scale);
    at = part.lastIndex;
  }
  return at === text.length && at > 0 ? total : undefined;
}
