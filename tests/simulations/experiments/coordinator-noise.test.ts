import { describe, expect, it } from "vitest";
import { cryptoProvider } from "../../../shared/crypto/node-provider.ts";
import { columnNorm } from "../../../shared/privacy/correlated/toeplitz.ts";
import { type RunConfig, runConfigSchema } from "../../../simulations/experiments/config.ts";
import { coordinatorNoise } from "../../../simulations/experiments/privacy/coordinator-noise.ts";
import { privacyPlan } from "../../../simulations/experiments/privacy/privacy-plan.ts";
import { epsilonStatement } from "../../../simulations/experiments/privacy/privacy-statement.ts";
import { centralSensitivity, privateTerms } from "../../../simulations/experiments/privacy/private-terms.ts";
import { playRun } from "./run-fixtures.ts";

const COORDINATES = 4000;
const ROUNDS = 16;

function config(privacy: object): RunConfig {
  return runConfigSchema.parse({
    seed: 3,
    task: { dataset: "blobs", model: "softmax", partition: { kind: "iid" } },
    fleet: { devices: 64, dropout: 0 },
    algorithm: { kind: "fedavg", weight: "uniform" },
    round: { count: ROUNDS, cohort: 16, overSelection: 1, minCohort: 4, evaluateEvery: ROUNDS },
    secagg: { minHonest: 2, fidelity: "off" },
    privacy: { delta: 1e-4, clip: 0.5, ...privacy },
  });
}

/** The noise of a round on a sum of zeros, and what it would deviate by as one Gaussian of the noise multiplier. */
function noiseOf(privacy: object) {
  const run = config(privacy);
  const plan = privacyPlan(run);
  if (plan === undefined) throw new Error("a plan");
  const terms = privateTerms(plan, run, COORDINATES);
  const { addNoise } = coordinatorNoise(plan, terms, run.seed, cryptoProvider);
  const round = (number: number, contributors = 16): Float64Array => {
    const sum = new Int32Array(terms.dimension);
    addNoise?.(sum, number, { survivors: plan.roster, contributors });
    return Float64Array.from(sum);
  };
  return { plan, terms, round, unit: plan.noiseMultiplier * centralSensitivity(terms) };
}

const deviation = (values: Float64Array): number =>
  Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);

describe("the coordinator's noise", () => {
  it.each(["seeded", "system"])("is one Gaussian a round, and a new one every round (%s)", (randomness) => {
    const { round, unit } = noiseOf({ mechanism: "central", noiseMultiplier: 1, randomness });
    const [first, second] = [round(1), round(2)];
    expect(deviation(first) / unit).toBeCloseTo(1, 1);
    const product = first.reduce((sum, value, i) => sum + value * second[i], 0) / COORDINATES / unit ** 2;
    expect(Math.abs(product)).toBeLessThan(5 / Math.sqrt(COORDINATES));
  });

  it.each(["toeplitz", "banded"])(
    "that is correlated takes part of itself away again over rounds (%s)",
    (mechanism) => {
      const { plan, round, unit } = noiseOf({ mechanism, noiseMultiplier: 1 });
      const total = new Float64Array(COORDINATES);
      for (let number = 1; number <= ROUNDS; number++) {
        const noise = round(number);
        for (let i = 0; i < total.length; i++) total[i] += noise[i];
      }
      const factor = plan.correlated?.factor;
      if (factor === undefined) throw new Error("a factor");
      // The sum of all rounds is A C⁻¹ z: for the square root it is the last row of C. Independent noise would give √16.
      if (mechanism === "toeplitz") expect(deviation(total) / unit / columnNorm(factor)).toBeCloseTo(1, 1);
      expect(deviation(total) / unit).toBeLessThan(0.8 * Math.sqrt(ROUNDS));
    },
  );

  it("of local devices is that of as many as contribute, each twice its norm", () => {
    const { round, unit } = noiseOf({ mechanism: "local", noiseMultiplier: 2, noise: "aggregate" });
    expect(deviation(round(1, 9)) / unit).toBeCloseTo(6, 0);
    expect(deviation(round(1, 36)) / deviation(round(1, 9))).toBeCloseTo(2, 5);
  });
});

describe("runs without sampling", () => {
  it.each(["toeplitz", "banded"] as const)(
    "%s: every device once in as many rounds as lie between, and no more",
    async (mechanism) => {
      const run = config({ mechanism, epsilon: 4 });
      const plan = privacyPlan(run);
      if (plan === undefined) throw new Error("a plan");
      const { result, events } = await playRun(run);
      expect(result.status).toBe("done");
      const invited = events.flatMap((event) => (event.type === "round.started" ? [event.p.invited] : []));
      expect(invited).toEqual(new Array(ROUNDS).fill(16));
      const statement = epsilonStatement(plan);
      expect(statement.epsilon).toBeCloseTo(4, 6);
      expect(statement.unamplified.epsilon).toBeCloseTo(4, 6);
      expect(statement.sampling).toEqual({ kind: "separated", rounds: ROUNDS, gap: 4 });
      expect(statement.unamplified.participations).toBe(4);
    },
  );
});
