import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { gaussianEpsilon } from "../../../../shared/privacy/accounting/analytic-gaussian.ts";
import { binomialUpperTail } from "../../../../shared/privacy/accounting/binomial-tail.ts";
import { normalTail } from "../../../../shared/privacy/accounting/normal-tail.ts";
import { lowerBound, upperBound } from "../../../../shared/privacy/audit/clopper-pearson.ts";
import { oneRunEpsilon, oneRunPValue } from "../../../../shared/privacy/audit/one-run-audit.ts";
import {
  gaussianAuditEpsilon,
  gaussianAuditMu,
  twoPointEpsilon,
} from "../../../../shared/privacy/audit/two-point-audit.ts";

const reference = JSON.parse(
  readFileSync(new URL("../../../vectors/dp_accounting.json", import.meta.url), "utf8"),
) as Record<string, Record<string, number>[]>;

describe("Clopper–Pearson bounds", () => {
  it.each(reference.clopper_pearson_audit)("$tp and $fp of $n_each", (row) => {
    const error = row.alpha / 2;
    const outcomes = {
      truePositives: row.tp,
      trialsIn: row.n_each,
      falsePositives: row.fp,
      trialsOut: row.n_each,
    };
    expect(Math.abs(lowerBound(row.tp, row.n_each, error) - row.tpr_lo)).toBeLessThan(1e-10);
    expect(Math.abs(upperBound(row.fp, row.n_each, error) - row.fpr_hi)).toBeLessThan(1e-10);
    expect(Math.abs(twoPointEpsilon(outcomes, row.delta, error) - row.eps_lower)).toBeLessThan(1e-4);
  });

  it("are where the observation is as improbable as the error", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 3000 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.double({ min: 0.001, max: 0.2, noNaN: true }),
        (trials, at, error) => {
          const successes = Math.round(at * trials);
          const upper = upperBound(successes, trials, error);
          const lower = lowerBound(successes, trials, error);
          expect(lower).toBeLessThanOrEqual(successes / trials);
          expect(upper).toBeGreaterThanOrEqual(successes / trials);
          if (successes < trials) expect(1 - binomialUpperTail(trials, upper, successes + 1)).toBeCloseTo(error, 9);
          else expect(upper).toBe(1);
          if (successes > 0) expect(binomialUpperTail(trials, lower, successes)).toBeCloseTo(error, 9);
          else expect(lower).toBe(0);
        },
      ),
    );
  });

  it("refuse what is no count", () => {
    expect(() => upperBound(2, 1, 0.05)).toThrow(RangeError);
    expect(() => upperBound(0, 0, 0.05)).toThrow(RangeError);
    expect(() => lowerBound(1, 2, 0)).toThrow(RangeError);
  });
});

describe("the audit in one run", () => {
  it.each(reference.one_run_audit)("m = $m, r = $r, v = $v, δ = $delta", ({ m, r, v, delta, p, eps_lower }) => {
    expect(Math.abs(oneRunEpsilon({ canaries: m, guesses: r, correct: v }, delta, p) - eps_lower)).toBeLessThan(1e-4);
  });

  it.each(reference.one_run_audit_pvalue)("p-value of m = $m, v = $v, ε = $eps", ({ m, r, v, eps, delta, p_value }) => {
    expect(oneRunPValue({ canaries: m, guesses: r, correct: v }, eps, delta)).toBeCloseTo(p_value, 9);
  });

  it.each([
    [100, 100, 80, 0, 0.958],
    [1000, 1000, 1000, 1e-5, 5.782],
  ])("the specification's m = %d, r = %d, v = %d", (canaries, guesses, correct, delta, epsilon) => {
    expect(oneRunEpsilon({ canaries, guesses, correct }, delta, 0.05)).toBeCloseTo(epsilon, 3);
  });

  it("is its definition", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 60 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.double({ min: 0, max: 4, noNaN: true }),
        fc.constantFrom(0, 1e-6, 1e-3),
        (guesses, at, epsilon, delta) => {
          const correct = Math.round(at * guesses);
          const q = Math.exp(epsilon) / (1 + Math.exp(epsilon));
          const beta = binomialUpperTail(guesses, q, correct);
          let alpha = 0;
          for (let i = 1; i <= correct; i++) {
            alpha = Math.max(alpha, (binomialUpperTail(guesses, q, correct - i) - beta) / i);
          }
          const expected = Math.min(1, beta + 2 * 80 * delta * alpha);
          expect(oneRunPValue({ canaries: 80, guesses, correct }, epsilon, delta)).toBeCloseTo(expected, 10);
        },
      ),
    );
  });

  it("refuses more guesses than canaries", () => {
    expect(() => oneRunPValue({ canaries: 5, guesses: 6, correct: 1 }, 1, 0)).toThrow(RangeError);
    expect(() => oneRunPValue({ canaries: 5, guesses: 3, correct: 4 }, 1, 0)).toThrow(RangeError);
  });
});

describe("the audit of a Gaussian", () => {
  it("finds less than the truth, and nearly the truth with many trials", () => {
    // The rates that a Gaussian of μ = 1 has at the threshold ½.
    const trials = 1_000_000;
    const rate = normalTail(0.5);
    const outcomes = {
      truePositives: Math.round((1 - rate) * trials),
      trialsIn: trials,
      falsePositives: Math.round(rate * trials),
      trialsOut: trials,
    };
    const mu = gaussianAuditMu(outcomes, 0.005);
    expect(mu).toBeLessThan(1);
    expect(mu).toBeGreaterThan(0.985);
    expect(gaussianAuditEpsilon(outcomes, 1e-5, 0.005)).toBeCloseTo(gaussianEpsilon(1 / mu, 1e-5), 12);
  });

  it("says nothing where nothing was seen", () => {
    const coin = { truePositives: 50, trialsIn: 100, falsePositives: 50, trialsOut: 100 };
    expect(gaussianAuditEpsilon(coin, 1e-5, 0.005)).toBe(0);
    expect(twoPointEpsilon(coin, 1e-5, 0.005)).toBe(0);
    const always = { truePositives: 100, trialsIn: 100, falsePositives: 100, trialsOut: 100 };
    expect(gaussianAuditEpsilon(always, 1e-5, 0.005)).toBe(0);
  });
});
