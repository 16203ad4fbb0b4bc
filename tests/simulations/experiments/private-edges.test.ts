import { describe, expect, it } from "vitest";
import { openRunReader } from "../../../server/store/run-reader.ts";
import { nextClipNorm } from "../../../shared/learning/transforms/adaptive-clip.ts";
import type { RunEvent } from "../../../shared/protocol/events.ts";
import { seededRandom } from "../../../shared/random/seeded-random.ts";
import { type RunConfigDocument, runConfigSchema } from "../../../simulations/experiments/config.ts";
import { constantRoster } from "../../../simulations/experiments/privacy/constant-roster.ts";
import { drawRoster, seededCoins } from "../../../simulations/experiments/privacy/draw-roster.ts";
import { playRun } from "./run-fixtures.ts";

const BASE = {
  seed: 42,
  task: { dataset: "blobs", model: "softmax", partition: { kind: "iid" } },
  fleet: { devices: 60, dropout: 0 },
  train: { lr: 0.1 },
  algorithm: { kind: "fedavg", weight: "uniform" },
  round: { count: 3, cohort: 18, overSelection: 1, minCohort: 4, evaluateEvery: 1 },
  secagg: { minHonest: 2, fidelity: "off" },
  privacy: { mechanism: "central", noiseMultiplier: 1, delta: 1e-4, clip: 0.5 },
} as const satisfies RunConfigDocument;

function config(changes: Record<string, object | number> = {}) {
  const document: Record<string, unknown> = { ...BASE };
  for (const [key, value] of Object.entries(changes)) {
    const section = (BASE as unknown as Record<string, object>)[key];
    document[key] = typeof value === "object" ? { ...section, ...value } : value;
  }
  return runConfigSchema.parse(document);
}

function recordOf(folder: string) {
  const reader = openRunReader(folder);
  try {
    return { ledger: reader.ledger(), rounds: reader.rounds(), model: reader.latestCheckpoint()?.parameters };
  } finally {
    reader.close();
  }
}

describe("an update that is none", () => {
  it.each([
    ["not a number, nor finite", { train: { lr: 1e38 } }],
    ["zero, as of devices that learn nothing", { train: { lr: 1e-30 } }],
    ["beyond all that training gives", { train: { lr: 1e7 } }],
  ])("%s: its device stays in the round, and the ledger is charged as ever", async (_what, changes) => {
    const usual = recordOf((await playRun(config())).folder);
    const { folder, result } = await playRun(config(changes));
    const { ledger, rounds, model } = recordOf(folder);
    expect(result.status).toBe("done");
    const spent = (entries: typeof ledger) => entries.map(({ at: _at, ...entry }) => entry);
    expect(spent(ledger)).toEqual(spent(usual.ledger));
    expect(rounds.map(({ survivors, drops }) => [survivors, drops])).toEqual(
      usual.rounds.map(({ survivors, drops }) => [survivors, drops]),
    );
    expect(model?.every(Number.isFinite)).toBe(true);
  });
});

describe("the Poisson coins", () => {
  /** Without what only a clock or the model itself tells. */
  function shape(events: readonly RunEvent[]): unknown[] {
    const hidden = new Set(["t", "ms", "seconds", "acc", "loss", "accuracy", "updateNorm", "modelHash", "startedAt"]);
    return events.map((event) => JSON.parse(JSON.stringify(event, (key, value) => (hidden.has(key) ? null : value))));
  }

  it("leave no trace in what the coordinator tells, but in the model", async () => {
    // Both from the operating system: nothing else of the two runs differs.
    const drawn = config({ privacy: { randomness: "system" } });
    const [one, other] = [await playRun(drawn), await playRun(drawn)];
    expect(shape(one.events)).toEqual(shape(other.events));
    expect(recordOf(one.folder).model).not.toEqual(recordOf(other.folder).model);
    const records = (folder: string) =>
      recordOf(folder).rounds.map(
        ({ at: _at, seconds: _seconds, accuracy: _a, testLoss: _l, updateNorm: _n, modelHash: _h, ...rest }) => rest,
      );
    expect(records(one.folder)).toEqual(records(other.folder));
  });

  it("name places in the roster, not devices", async () => {
    const { events } = await playRun(config());
    const text = JSON.stringify(events);
    expect(text).not.toMatch(/"device-\d+"|"d\d+"/);
    expect(text).toMatch(/slot-\d/);
  });

  it("draw every device at its rate, and pads from the rest, in an order that tells nothing", () => {
    const eligible = Array.from({ length: 200 }, (_, i) => i);
    const drawn = new Float64Array(200);
    const firstIsPad: boolean[] = [];
    for (let round = 0; round < 600; round++) {
      const { members, pads } = drawRoster(eligible, 0.2, 70, seededCoins(7, round));
      expect(members).toHaveLength(70);
      expect(new Set(members).size).toBe(70);
      for (const device of members) if (!pads.has(device)) drawn[device]++;
      firstIsPad.push(pads.has(members[0]));
    }
    // 600 draws at 0.2: five deviations are 49.
    for (const count of drawn) expect(Math.abs(count - 120)).toBeLessThan(50);
    const share = firstIsPad.filter(Boolean).length / 600;
    expect(Math.abs(share - 30 / 70)).toBeLessThan(0.1);
  });

  it("leave a device out that has taken part as often as it may, also when the run goes on later", async () => {
    const capped = {
      round: { count: 8, cohort: 18, overSelection: 1, minCohort: 4, evaluateEvery: 8 },
      privacy: { maxParticipations: 1 },
    };
    const whole = await playRun(config(capped));
    const free = await playRun(config({ round: capped.round }));
    // Sixty devices, eighteen a round: with one part each, nobody is left to learn from after a few rounds.
    const last = (folder: string) => recordOf(folder).rounds.at(-1)?.updateNorm;
    expect(last(whole.folder)).not.toBe(last(free.folder));
    const halved = await playRun(config(capped), {
      onEvent: (event) => (event.type === "round.done" && event.round === 4 ? "after-round" : undefined),
    });
    expect(halved.result.status).toBe("interrupted");
    const resumed = await playRun(config(capped), { folder: halved.folder, resume: true });
    expect(recordOf(resumed.folder).model).toEqual(recordOf(whole.folder).model);
  });

  it("have a roster that is as long as privacy.md 1.9 says, and no longer", () => {
    const roster = (devices: number) =>
      constantRoster({
        devices,
        sampling: 0.1,
        rounds: 100,
        epsilon: 8,
        delta: 1e-5,
        dropout: 0.1,
        leastSurvivors: 16,
      });
    expect([20, 100, 500, 1000, 2000].map(roster)).toEqual([17, 35, 102, 171, 298]);
  });
});

describe("a clip norm that adapts", () => {
  it.each([0.1, 1, 10])(
    "from %d finds the median of the devices' norms within forty rounds, through its noise",
    (initial) => {
      const random = seededRandom(1, "norms");
      let norm = initial;
      for (let round = 0; round < 40; round++) {
        let count = 0;
        for (let device = 0; device < 100; device++) count += (Math.exp(0.3 * random.normal()) <= norm ? 1 : 0) - 0.5;
        const withinNorm = 0.5 + (count + 5 * random.normal()) / 100;
        norm = nextClipNorm(norm, withinNorm, { quantile: 0.5, rate: 0.2 });
      }
      expect(Math.abs(norm - 1)).toBeLessThan(0.1);
    },
  );

  it("is told by the run whose devices clip to it, and the round's noise follows it", async () => {
    const adaptive = config({
      round: { count: 6, cohort: 18, overSelection: 1, minCohort: 4, evaluateEvery: 6 },
      privacy: { noiseMultiplier: 0.3, clip: { initial: 0.1 } },
    });
    const { result } = await playRun(adaptive);
    expect(result.status).toBe("done");
    expect(result.accuracy ?? 0).toBeGreaterThan(0.3);
  });
});
