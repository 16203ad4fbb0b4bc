import { describe, expect, it } from "vitest";
import { normalTail } from "../../../../shared/privacy/accounting/normal-tail.ts";
import { gaussianAuditMu } from "../../../../shared/privacy/audit/two-point-audit.ts";
import { seededWords } from "../../../../shared/privacy/noise/noise-words.ts";
import { seededRandom } from "../../../../shared/random/seeded-random.ts";
import { auditedRelease } from "../../../../simulations/attacks/audit/audited-release.ts";
import { canaryScores } from "../../../../simulations/attacks/audit/canary-experiment.ts";
import { runConfigSchema } from "../../../../simulations/experiments/config.ts";
import { audit, audited, COORDINATES, config } from "./audited-run.ts";
import { FAULTS, withNoise } from "./faulty-builds.ts";

// `npm run audit:privacy` runs these audits twenty times each.

describe("the audit of distributed noise", () => {
  it("is of the product's own transforms, with as many shares as the claim rests on", () => {
    expect(audited.transforms.map(({ specification }) => specification.split(":")[0])).toEqual([
      "zero-invalid",
      "clip",
      "weight",
      "rotate",
      "noise",
    ]);
    // u_min is nine tenths of the roster of 171, less a twentieth of it that may be corrupted.
    expect(audited).toMatchObject({ shares: 146, noiseMultiplier: 1, dimension: COORDINATES, clipNorm: 0.5 });
  });

  it("finds nothing in a sound build, and not much less than is claimed", () => {
    for (const seed of [1, 2, 3]) {
      const verdict = audit(audited, seed);
      expect(verdict.accused).toBe(false);
      expect(verdict.claimed).toBeCloseTo(4.377, 3);
      expect(verdict.gaussian).toBeGreaterThan(3.5);
      expect(verdict.oneRun).toBeGreaterThan(1);
    }
  });

  it.each(Object.keys(FAULTS))("catches %s", (fault) => {
    for (const seed of [1, 2]) expect(audit(FAULTS[fault](audited), seed).accused).toBe(true);
  });

  it("in one run finds canaries of five times the norm where nothing clips them, whatever the noise's law", () => {
    const fiveThousand = { releases: 50, canaryNorm: 5 };
    const unclipped = audit(FAULTS["a missing clip"](audited), 3, fiveThousand);
    expect(unclipped.oneRun).toBeGreaterThan(unclipped.claimed);
    const clipped = audit(audited, 3, fiveThousand);
    expect(clipped.oneRun).toBeLessThan(clipped.claimed);
  });

  it("cannot be run on a build that only lost its clipping: rounding refuses what is too long", () => {
    const transforms = audited.transforms.filter(({ specification }) => !specification.startsWith("clip:"));
    expect(() => audit({ ...audited, transforms }, 1, { releases: 1 })).toThrow(RangeError);
  });

  it("scores canaries as they were put in, and what was left out as noise", () => {
    const { included, scores } = canaryScores(withNoise(audited, 1e-3), {
      releases: 3,
      canaries: 100,
      canaryNorm: 1,
      seed: 7,
      noise: seededWords(seededRandom(7, "audit-noise")),
    });
    const taken = included.reduce((sum, value) => sum + value, 0);
    expect(taken).toBeGreaterThan(100);
    expect(taken).toBeLessThan(200);
    // What is left is the rounding of 146 updates to the grid.
    scores.forEach((score, i) => {
      expect(Math.abs(score - included[i])).toBeLessThan(0.05);
    });
  });

  it("asks for noise that devices make, and for no more canaries than there are shares", () => {
    const central = runConfigSchema.parse({ ...config, privacy: { mechanism: "central", noiseMultiplier: 1 } });
    expect(() => auditedRelease(central, COORDINATES)).toThrow(RangeError);
    expect(() => audit(audited, 1, { canaries: 147 })).toThrow(RangeError);
  });
});

describe("the audit's threshold and bounds, on scores of ideal noise", () => {
  const TRIALS = 10_000;

  /** How many of so many audits find a μ of more than 1 when the noise is `factor` times what it should be. */
  function accusations(audits: number, factor: number): number {
    const random = seededRandom(1, "ideal-audits");
    const rate = normalTail(0.5 / factor);
    const errors = () => {
      let count = 0;
      for (let i = 0; i < TRIALS; i++) if (random.uniform() < rate) count++;
      return count;
    };
    let accused = 0;
    for (let i = 0; i < audits; i++) {
      const outcomes = {
        truePositives: TRIALS - errors(),
        trialsIn: TRIALS,
        falsePositives: errors(),
        trialsOut: TRIALS,
      };
      if (gaussianAuditMu(outcomes, 0.005) > 1) accused++;
    }
    return accused;
  }

  it("catch noise × 0.9 in 98 of 100 audits, and accuse a sound build in none of 500", () => {
    expect(accusations(200, 0.9)).toBeGreaterThanOrEqual(196);
    expect(accusations(500, 1)).toBe(0);
  });
});
