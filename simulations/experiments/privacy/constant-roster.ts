/**
 * The constant roster (`privacy.md` 1.9, rule 1): the smallest n_fix with T · (1 + e^ε) · P[Bin(N, q) > n_fix] ≤ δ / 10.
 * A cohort that is larger is cut, and that chance is part of δ.
 *
 * @param leastSurvivors the minimum cohort, which u_min has to reach
 */
export function constantRoster(options: {
  readonly devices: number;
  readonly sampling: number;
  readonly rounds: number;
  readonly epsilon: number;
  readonly delta: number;
  readonly dropout: number;
  readonly leastSurvivors: number;
}): number {
  const { devices, sampling, rounds, epsilon, delta, dropout, leastSurvivors } = options;
  // ln(1 + e^ε), without overflow.
  const inflation = epsilon + Math.log1p(Math.exp(-epsilon));
  const allowed = Math.log(delta / 10) - Math.log(rounds) - inflation;
  const tail = binomialTail(devices, sampling);
  let roster = Math.min(devices, Math.max(1, Math.ceil(devices * sampling)));
  while (roster < devices && tail(roster) > allowed) roster++;
  while (leastSurvivorsOf(roster, dropout) < leastSurvivors) roster++;
  return roster;
}

/** u_min = n_fix − ⌊δ_drop · n_fix⌋. */
export function leastSurvivorsOf(roster: number, dropout: number): number {
  return roster - Math.floor(dropout * roster + 1e-9);
}

/** ln P[Bin(n, p) > k]. */
export function binomialTail(n: number, p: number): (k: number) => number {
  if (p === 1) return (k) => (k < n ? 0 : Number.NEGATIVE_INFINITY);
  const logs = new Float64Array(n + 1);
  let log = n * Math.log1p(-p);
  for (let k = 0; k <= n; k++) {
    logs[k] = log;
    log += Math.log(n - k) - Math.log(k + 1) + Math.log(p) - Math.log1p(-p);
  }
  return (k) => {
    const upper = logs.subarray(k + 1);
    if (upper.length === 0) return Number.NEGATIVE_INFINITY;
    const most = upper.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
    return most + Math.log(upper.reduce((sum, value) => sum + Math.exp(value - most), 0));
  };
}
