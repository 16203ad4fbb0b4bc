import { describe, expect, it } from "vitest";
import { openRunReader } from "../../../server/store/run-reader.ts";
import type { RunConfigDocument } from "../../../simulations/experiments/config.ts";
import { runConfigSchema } from "../../../simulations/experiments/config.ts";
import { checkRunConfig } from "../../../simulations/experiments/config-checks.ts";
import { privacyPlan } from "../../../simulations/experiments/privacy/privacy-plan.ts";
import { playRun, verify } from "./run-fixtures.ts";

/** Sixty devices, of which each is in a round with a chance of 0.3; noise that devices make, under real masks. */
const BASE = {
  seed: 42,
  task: { dataset: "blobs", model: "softmax", partition: { kind: "iid" } },
  fleet: { devices: 60, dropout: 0 },
  train: { lr: 0.1 },
  algorithm: { kind: "fedavg", weight: "uniform" },
  round: { count: 2, cohort: 18, overSelection: 1, minCohort: 4, evaluateEvery: 1 },
  secagg: { minHonest: 2, fidelity: "real" },
  privacy: { mechanism: "distributed-gaussian", noiseMultiplier: 1, delta: 1e-4, clip: 0.5 },
} as const satisfies RunConfigDocument;

type Changes = { readonly [Section in keyof RunConfigDocument]?: Partial<RunConfigDocument[Section]> };

function config(changes: Changes = {}) {
  const document: Record<string, unknown> = { ...BASE };
  for (const [key, value] of Object.entries(changes)) {
    document[key] =
      typeof value === "object" ? { ...(BASE as unknown as Record<string, object>)[key], ...value } : value;
  }
  return runConfigSchema.parse(document);
}

/** The parameters after each committed round, and the records. */
function modelsOf(folder: string) {
  const reader = openRunReader(folder);
  try {
    return {
      rounds: reader.rounds(),
      ledger: reader.ledger(),
      model: reader.latestCheckpoint()?.parameters ?? new Float32Array(0),
    };
  } finally {
    reader.close();
  }
}

const deviation = (values: Float32Array): number =>
  Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);

describe("noise that devices make, end to end", () => {
  // With a rate of nearly nothing every update is zero, so that what a round releases is noise.
  const SILENT = {
    train: { lr: 1e-9 },
    round: { count: 1, cohort: 18, overSelection: 1, minCohort: 4, evaluateEvery: 1 },
  };

  it.each(["distributed-gaussian", "distributed-skellam"] as const)(
    "is what was promised, under real masks, when nobody is lost (%s)",
    async (mechanism) => {
      const silent = config({ ...SILENT, privacy: { mechanism }, task: { dataset: "mnist" } });
      const plan = privacyPlan(silent);
      if (plan === undefined) throw new Error("a plan");
      const { folder, result } = await playRun(silent);
      const { model, rounds } = modelsOf(folder);
      expect(result.secagg.exact).toBe(true);
      expect(rounds[0].survivors).toBe(plan.roster);
      // The model began at the initial parameters, which are zero for softmax regression's bias and small for the rest.
      const released = await difference(silent, model);
      const share = (deviation(released) * plan.denominator) / (plan.noiseMultiplier * plan.clipNorm);
      expect(share).toBeGreaterThan(0.98);
      expect(share).toBeLessThan(1.15);
    },
  );

  it("is still what was promised when as many are lost as are allowed for, and a round that loses more is refused", async () => {
    const seen = new Set<string>();
    for (let seed = 1; seed <= 4; seed++) {
      const lossy = config({ ...SILENT, seed, fleet: { devices: 60, dropout: 0.12 }, privacy: { dropout: 0.3 } });
      const plan = privacyPlan(lossy);
      if (plan === undefined) throw new Error("a plan");
      const { folder } = await playRun({ ...lossy, round: { ...lossy.round, maxAbandoned: 0 } });
      const { model, rounds } = modelsOf(folder);
      const [{ outcome, survivors }] = rounds;
      if (outcome === "abandoned") {
        seen.add("refused");
        continue;
      }
      expect(survivors).toBeGreaterThanOrEqual(plan.leastSurvivors);
      seen.add(survivors < plan.roster ? "some lost" : "none lost");
      const share = (deviation(await difference(lossy, model)) * plan.denominator) / plan.clipNorm;
      expect(share).toBeGreaterThan(0.9);
    }
    expect(seen).toContain("some lost");
  });
});

describe("a private run", () => {
  it("charges its ledger once a round, at least what it spends", async () => {
    const { folder } = await playRun(config());
    const { ledger, rounds } = modelsOf(folder);
    expect(ledger.map(({ round }) => round)).toEqual([1, 2]);
    // From the entries alone, whatever the configuration says: added up and converted.
    const spent = [1, 2].map((count) => {
      const [{ orders, accountedDelta }] = ledger;
      const converted = orders.map((order, i) => {
        const rdp = ledger.slice(0, count).reduce((sum, entry) => sum + entry.rdp[i], 0);
        return rdp + Math.log1p(-1 / order) - Math.log(accountedDelta * order) / (order - 1);
      });
      return Math.min(...converted);
    });
    for (const [i, { epsilon }] of rounds.entries()) expect(epsilon).toBeCloseTo(spent[i], 9);
  });

  it("can be verified from its record, noise and all, because its noise came from the seed", async () => {
    const { folder } = await playRun(config());
    expect((await verify(folder)).matches).toBe(true);
  });

  it("spends no more than it may: the round that would go beyond is refused before anything is sent", async () => {
    const budget = privacyPlan(config({ privacy: { noiseMultiplier: 1 }, round: { count: 1 } }))?.planned ?? 0;
    const limited = config({ privacy: { noiseMultiplier: 1, epsilon: budget * 1.001 } });
    await expect(playRun(limited)).rejects.toThrow(/privacy.epsilon is/);
  });

  it("without noise has the same roster, no ledger, and no ε anywhere", async () => {
    const noiseless = config({ privacy: { noiseMultiplier: 0 } });
    const { folder, events } = await playRun(noiseless);
    const { ledger, rounds } = modelsOf(folder);
    expect(ledger).toEqual([]);
    expect(rounds.every(({ epsilon }) => epsilon === undefined)).toBe(true);
    expect(events.every((event) => event.type !== "round.done" || event.p.eps === null)).toBe(true);
    expect(privacyPlan(noiseless)?.roster).toBe(privacyPlan(config({ privacy: { epsilon: 8 } }))?.roster);
  });

  it("in a simulation that draws the shares' sum at once learns what devices that draw their own do", async () => {
    const many = { round: { ...BASE.round, count: 2 }, privacy: { ...BASE.privacy, noiseMultiplier: 0.1 } };
    const own = await playRun(config(many));
    const at_once = await playRun(
      config({ ...many, privacy: { ...many.privacy, noise: "aggregate" }, secagg: { minHonest: 2, fidelity: "off" } }),
    );
    expect(Math.abs((own.result.accuracy ?? 0) - (at_once.result.accuracy ?? 1))).toBeLessThan(0.1);
  });
});

describe("configurations that would promise what is not so", () => {
  it.each<[string, Changes, RegExp]>([
    ["a race", { round: { overSelection: 1.3 } }, /overSelection/],
    ["no masks", { secagg: { mode: "plaintext", insecure: true } }, /plaintext/],
    ["shares that devices which are only counted would draw", { secagg: { fidelity: "off" } }, /noise is device/],
    ["masks over no noise", { privacy: { noise: "aggregate" } }, /real masks would cover/],
    [
      "the system's coins without masks",
      { privacy: { randomness: "system" }, secagg: { fidelity: "off" } },
      /no mask covers/,
    ],
    ["weights by examples", { algorithm: { kind: "fedavg", weight: "examples" } }, /weight/],
    ["fewer rounds than are played", { privacy: { rounds: 1 } }, /rounds/],
    ["an epsilon without noise", { privacy: { epsilon: 8, noiseMultiplier: 0 } }, /no epsilon/],
  ])("%s: refused", (_what, changes, message) => {
    expect(
      checkRunConfig(config(changes))
        .map(({ message: text }) => text)
        .join("\n"),
    ).toMatch(message);
  });
});

async function difference(run: ReturnType<typeof config>, model: Float32Array): Promise<Float32Array> {
  const { loadDataset } = await import("../../../simulations/datasets/index.ts");
  const { loadModel } = await import("../../../simulations/load-model.ts");
  const { initialParameters } = await import("../../../shared/learning/models/model-parameters.ts");
  const { seededRandom } = await import("../../../shared/random/seeded-random.ts");
  const dataset = await loadDataset(run.task.dataset, run.seed);
  const initial = initialParameters(await loadModel(run.task.model, dataset), seededRandom(run.seed, "parameters"));
  return model.map((value, i) => value - initial[i]);
}
