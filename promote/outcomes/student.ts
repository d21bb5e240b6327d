/**
 * The chance that Student's t is further from 0 than `t` on either side: the regularized incomplete beta function I(ν / (ν + t²); ν / 2, 1 / 2)
 * (Abramowitz & Stegun 26.7.1, 26.5.27). Computed from the tail, so small chances keep their digits.
 */
export function studentTails(t: number, freedom: number): number {
  const square = t * t;
  const [a, b] = [freedom / 2, 1 / 2];
  const x = freedom / (freedom + square);
  const rest = square / (freedom + square);
  if (rest === 0) return 1;
  // x^a (1 − x)^b / B(a, b); log1p, since x is next to 1 where there are many degrees of freedom.
  const power = Math.exp(-a * Math.log1p(square / freedom)) * Math.sqrt(rest);
  const front = (power * gammaRatio(a)) / Math.sqrt(Math.PI);
  return x < (a + 1) / (a + b + 2)
    ? (front / a) * betaFraction(a, b, x)
    : 1 - (front / b) * betaFraction(b, a, rest);
}

/** The `t` that a share of the distribution is below: for shares of a half and more. Found by halving. */
export function studentQuantile(at: number, freedom: number): number {
  let [low, high] = [0, 1e4];
  for (let step = 0; step < 60; step += 1) {
    const middle = (low + high) / 2;
    if (studentTails(middle, freedom) > 2 * (1 - at)) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** Γ(a + 1/2) / Γ(a): by its asymptotic series (Tricomi & Erdélyi 1951) from 30 on, and by recurrence from there down. */
function gammaRatio(a: number): number {
  if (a < 30) return (gammaRatio(a + 1) * a) / (a + 0.5);
  const y = 1 / a;
  return (
    Math.sqrt(a) *
    (1 -
      y / 8 +
      y ** 2 / 128 +
      (5 * y ** 3) / 1024 -
      (21 * y ** 4) / 32_768 -
      (399 * y ** 5) / 262_144)
  );
}

/** The continued fraction of the incomplete beta function (DLMF 8.17.22), by Lentz's method. Converges fast for x < (a + 1) / (a + b + 2). */
function betaFraction(a: number, b: number, x: number): number {
  const least = 1e-300;
  const away = (value: number): number => (Math.abs(value) < least ? least : value);
  let c = 1;
  let d = 1 / away(1 - ((a + b) * x) / (a + 1));
  let fraction = d;
  for (let m = 1; m < 100_000; m += 1) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    let step = 1;
    for (const term of [even, odd]) {
      d = 1 / away(1 + term * d);
      c = away(1 + term / c);
      step = d * c;
      fraction *= step;
    }
    if (Math.abs(step - 1) < 1e-15) break;
  }
  return fraction;
}
