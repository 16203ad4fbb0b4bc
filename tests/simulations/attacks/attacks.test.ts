import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { seededRandom } from "../../../shared/random/seeded-random.ts";
import {
  AGGREGATION_RULES,
  coordinateMedian,
  krumOrder,
  mean,
  trimmedMean,
} from "../../../simulations/attacks/aggregation-rules.ts";
import { ATTACKS } from "../../../simulations/attacks/index.ts";
import {
  attackModels,
  ceilingOf,
  overfittedSet,
  PLAIN_TRAINING,
  privateTraining,
} from "../../../simulations/attacks/member.ts";
import {
  createNetwork,
  logitConfidences,
  sparseExamples,
  trainNetwork,
} from "../../../simulations/attacks/overfitted-network.ts";
import { rocCurve, truePositivesAt } from "../../../simulations/attacks/roc.ts";
import { initialTarget, options } from "./attacked.ts";

const number = fc.float({ min: -100, max: 100, noNaN: true });
const updates = fc
  .array(fc.array(number, { minLength: 3, maxLength: 3 }), { minLength: 5, maxLength: 9 })
  .map((rows) => rows.map((row) => Float32Array.from(row)));

describe("aggregation rules", () => {
  it.each(AGGREGATION_RULES.map((rule) => [rule.name, rule] as const))(
    "%s: the order of updates does not matter",
    (_name, rule) => {
      fc.assert(
        fc.property(fc.integer(), fc.integer({ min: 5, max: 9 }), (seed, count) => {
          // Drawn from a continuous law: no two are as near to the others as each other.
          const random = seededRandom(seed, "updates");
          const rows = Array.from({ length: count }, () => Float32Array.from({ length: 5 }, () => random.normal()));
          const shuffled = seededRandom(seed, "order").shuffle([...rows]);
          const [a, b] = [rule.aggregate(rows, 1), rule.aggregate(shuffled, 1)];
          for (const [i, value] of a.entries()) expect(b[i]).toBeCloseTo(value, 5);
        }),
        { numRuns: 50 },
      );
    },
  );

  it("the norm bound shortens what is longer than it, and nothing else", () => {
    const rule = AGGREGATION_RULES.find(({ name }) => name === "norm bound");
    expect([...(rule?.aggregate([Float32Array.of(3, 4)], 0) ?? [])].map((value) => value.toFixed(6))).toEqual([
      "0.600000",
      "0.800000",
    ]);
    fc.assert(
      fc.property(updates, (rows) => {
        const bounded = rule?.aggregate(rows, 0) ?? new Float32Array(0);
        const naive = rows.map((row) => row.map((value) => value / Math.max(1, Math.hypot(...row))));
        for (const [i, value] of mean(naive).entries()) expect(bounded[i]).toBeCloseTo(value, 5);
        expect(Math.hypot(...bounded)).toBeLessThanOrEqual(1 + 1e-5);
      }),
    );
  });

  it("the median and the trimmed mean stay within the honest values, whatever a minority sends", () => {
    fc.assert(
      fc.property(
        fc.array(number, { minLength: 7, maxLength: 7 }),
        fc.array(fc.float({ noNaN: true }), { minLength: 2, maxLength: 2 }),
        (honest, hostile) => {
          const rows = [...honest, ...hostile].map((value) => Float32Array.of(value));
          const within = (value: number): boolean =>
            value >= Math.min(...honest) - 1e-3 && value <= Math.max(...honest) + 1e-3;
          expect(within(coordinateMedian(rows)[0])).toBe(true);
          expect(within(trimmedMean(rows, 0.25)[0])).toBe(true);
        },
      ),
    );
  });

  it("are what a naive reading of them gives", () => {
    const rows = [1, 5, 2, 100, 3].map((value) => Float32Array.of(value));
    expect(mean(rows)[0]).toBeCloseTo(22.2, 5);
    expect(coordinateMedian(rows)[0]).toBe(3);
    expect(coordinateMedian(rows.slice(0, 4))[0]).toBe(3.5);
    expect(trimmedMean(rows, 0.2)[0]).toBeCloseTo(10 / 3, 5);
    // n = 5, f = 1: the two nearest others. Of 1: 1 + 4; of 2: 1 + 1; of 3: 1 + 4; of 5: 4 + 9.
    expect(krumOrder(rows, 1).map((place) => rows[place][0])).toEqual([2, 1, 3, 5, 100]);
    expect(() => krumOrder(rows.slice(0, 3), 1)).toThrow(/Krum needs more than/);
  });
});

describe("the backdoor", () => {
  it("gets through the mean, and not through the median", async () => {
    const { figures } = await ATTACKS.backdoor.run(await initialTarget(), options());
    expect(figures.mean_success).toBeGreaterThan(0.85);
    expect(figures.median_success).toBeLessThan(0.05);
    expect(figures.no_attack_success).toBeLessThan(0.05);
    expect(figures.no_attack_clean - figures.median_clean).toBeLessThan(0.02);
  }, 180_000);
});

describe("membership", () => {
  it("is told by likelihood ratios at five times the rate that the loss tells it at, and under noise less than any attack may", async () => {
    const examples = overfittedSet(await initialTarget(), 1);
    const models = { seed: 1, shadows: 10, targets: 2, name: "test" };
    const plain = attackModels(examples, PLAIN_TRAINING, models);
    const rate = (roc: Parameters<typeof truePositivesAt>[0]): number => truePositivesAt(roc, 0.01);
    expect(rate(plain.lira)).toBeGreaterThanOrEqual(5 * rate(plain.loss));
    expect(rate(plain.lira)).toBeGreaterThan(0.1);
    expect(plain.lira.area).toBeGreaterThan(plain.loss.area);
    const noised = attackModels(examples, privateTraining(), { ...models, shadows: 6, targets: 1 });
    const ceiling = ceilingOf(3.72);
    // Of 400 examples what chance adds to a rate is below a tenth.
    for (const [x, y] of noised.lira.points) expect(y).toBeLessThan(ceiling(x) + 0.1);
    expect(noised.lira.area).toBeLessThan(plain.lira.area);
  }, 180_000);

  it("can be no better than guessing against endless noise, and is bounded by nothing without", () => {
    const [quiet, loud] = [ceilingOf(0.01), ceilingOf(1e4)];
    expect(quiet(0.01)).toBe(1);
    expect(loud(0.25)).toBeCloseTo(0.25, 2);
    expect(loud(1)).toBe(1);
  });
});

describe("a network that is trained by hand", () => {
  const random = seededRandom(1, "examples");
  const inputs = Float32Array.from({ length: 12 * 6 }, () => (random.uniform() < 0.5 ? 0 : random.uniform()));
  const examples = sparseExamples(
    inputs,
    Int32Array.from({ length: 12 }, () => random.below(3)),
    6,
  );
  const members = Array.from({ length: 12 }, (_, i) => i);

  it("moves against its gradient, which is that of differences", () => {
    const network = createNetwork(6, 5, 3, seededRandom(2, "network"));
    const loss = (): number =>
      // −ln p = ln(1 + e^{−logit})
      logitConfidences(network, examples).reduce((sum, logit) => sum + Math.log1p(Math.exp(-logit)), 0);
    const before = network.weights.slice();
    trainNetwork(network, examples, members, { steps: 1, learningRate: 12 }, seededRandom(1, "none"));
    const step = network.weights.map((value, i) => value - before[i]);
    network.weights.set(before);
    for (const i of [0, 7, 29, 31, 36, 46, 48, 50]) {
      const width = 1e-6;
      network.weights[i] = before[i] + width;
      const above = loss();
      network.weights[i] = before[i] - width;
      const below = loss();
      network.weights[i] = before[i];
      expect(step[i]).toBeCloseTo(-(above - below) / (2 * width), 4);
    }
  });

  it("with privacy moves no further for any one example than the clip norm and the noise allow", () => {
    const training = { steps: 1, learningRate: 1, privacy: { clip: 0.01, noiseMultiplier: 0 } };
    for (const example of members) {
      const network = createNetwork(6, 5, 3, seededRandom(3, "network"));
      const before = network.weights.slice();
      trainNetwork(network, examples, [example], training, seededRandom(1, "none"));
      const moved = Math.hypot(...network.weights.map((value, i) => value - before[i]));
      expect(moved).toBeLessThanOrEqual(0.01 * (1 + 1e-9));
      expect(moved).toBeGreaterThan(0.0099);
    }
  });
});

describe("a receiver operating characteristic", () => {
  const scored = (scores: readonly number[], members: readonly boolean[]) =>
    scores.map((score, i) => ({ score, isMember: members[i] }));

  it("is 1 where scores tell all, and half where they tell nothing", () => {
    expect(rocCurve(scored([4, 3, 2, 1], [true, true, false, false])).area).toBe(1);
    expect(rocCurve(scored([1, 1, 1, 1], [true, true, false, false])).area).toBe(0.5);
    expect(rocCurve(scored([4, 3, 2, 1], [true, false, true, false])).area).toBe(0.75);
  });

  it("has an area that is the chance of a member to score higher, ties half", () => {
    const entry = fc.record({ score: fc.integer({ min: 0, max: 6 }), isMember: fc.boolean() });
    fc.assert(
      fc.property(fc.array(entry, { minLength: 4, maxLength: 30 }), (entries) => {
        const [members, others] = [true, false].map((side) => entries.filter(({ isMember }) => isMember === side));
        if (members.length === 0 || others.length === 0) return;
        let wins = 0;
        for (const a of members) for (const b of others) wins += a.score > b.score ? 1 : a.score === b.score ? 0.5 : 0;
        const roc = rocCurve(entries);
        expect(roc.area).toBeCloseTo(wins / members.length / others.length, 9);
        expect(roc.points.at(-1)).toEqual([1, 1]);
        expect(truePositivesAt(roc, 1)).toBe(1);
      }),
    );
  });
});
