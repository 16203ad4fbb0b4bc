import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RoundFact } from "../../../../server/round.ts";
import { cryptoProvider } from "../../../../shared/crypto/node-provider.ts";
import { type DeviceId, simulatedDeviceIndex, simulatedDeviceName } from "../../../../shared/protocol/ids.ts";
import { secaggParameters } from "../../../../shared/secagg/graph-parameters.ts";
import { createStopSwitch } from "../../../../shared/time/stop-signal.ts";
import {
  createInProcessFederation,
  type InProcessFederation,
} from "../../../../simulations/experiments/in-process-federation.ts";
import { DROPOUT_STAGES, type Vanishing } from "../../../../simulations/fleet/dropout-plan.ts";
import { passingFleetMemories } from "../../../../simulations/fleet/fleet-memories.ts";
import { createLocalPool, type TrainingPool } from "../../../../simulations/fleet/training/training-pool.ts";
import { smallConfig } from "../../experiments/run-fixtures.ts";

type Fidelity = "real" | "accounted" | "off";
const FIDELITIES: readonly Fidelity[] = ["real", "accounted", "off"];
type Plan = ReadonlyMap<DeviceId, Vanishing>;

/** One experiment's devices at one fidelity, and who of them has been trained. */
interface Played {
  play(round: number, invited: readonly DeviceId[], plan: Plan): Promise<PlayedOut>;
  dispose(): Promise<void>;
}

type PlayedOut = Awaited<ReturnType<InProcessFederation["replay"]>> & {
  readonly lost: readonly RoundFact[];
  readonly trained: readonly number[];
};

async function open(fidelity: Fidelity, changes: Parameters<typeof smallConfig>[0]): Promise<Played> {
  const config = smallConfig({ ...changes, secagg: { ...changes?.secagg, fidelity } });
  const memories = passingFleetMemories();
  let trained: number[] = [];
  const federation = await createInProcessFederation({
    config,
    provider: cryptoProvider,
    taskId: new Uint8Array(16).fill(7),
    journal: { uploads: [], record() {} },
    memories,
    createPool: async (setting) => counted(await createLocalPool(setting), (index) => trained.push(index)),
  });
  const { algorithm, initial } = federation.experiment;
  const broadcast = { values: algorithm.broadcast(algorithm.init(initial)), lost: [] };
  return {
    async play(round, invited, plan) {
      trained = [];
      const lost: RoundFact[] = [];
      const observer = {
        onSelected() {},
        onFacts: (facts: readonly RoundFact[]) => void lost.push(...facts.filter(({ kind }) => kind === "lost")),
        onTrainingError(_: DeviceId, error: unknown) {
          throw error;
        },
        async breathe() {},
        stop: createStopSwitch(),
        startsAt: 1_764_000_000_000,
      };
      const played = await federation.replay(round, broadcast, observer, { invited, lost: plan });
      return { ...played, lost, trained: trained.sort((a, b) => a - b) };
    },
    async dispose() {
      await federation.dispose();
      memories.close();
    },
  };
}

function counted(pool: TrainingPool, onTrained: (index: number) => void): TrainingPool {
  return {
    ...pool,
    begin(work, jobs, terms) {
      const round = pool.begin(work, jobs, terms);
      return {
        ...round,
        trained(job) {
          onTrained(job.index);
          return round.trained(job);
        },
      };
    },
  };
}

/** Plays the same round at every fidelity, and compares what must not differ. */
async function compare(fleets: ReadonlyMap<Fidelity, Played>, round: number, size: number, plan: Plan, bytesApart = 0) {
  const invited = Array.from({ length: size }, (_, i) => simulatedDeviceName(i, 30));
  const outs = new Map<Fidelity, PlayedOut>();
  for (const [fidelity, fleet] of fleets) outs.set(fidelity, await fleet.play(round, invited, plan));
  const [real, accounted, off] = FIDELITIES.map((fidelity) => inOrder(outs.get(fidelity) as PlayedOut));
  // The oracle compares what was unmasked with the plain sum: only where something was masked.
  const { exact, ...outcome } = { exact: undefined, ...real.outcome };
  expect(exact).toBe(real.outcome.kind === "summed" ? true : undefined);
  for (const simulated of [accounted, off]) {
    expect(simulated.outcome).toEqual(outcome);
    expect(simulated.lost).toEqual(real.lost);
    expect(simulated.trained).toEqual(real.trained);
  }
  for (const way of ["bytesUp", "bytesDown"] as const) {
    expect(Math.abs(accounted.traffic[way] - real.traffic[way])).toBeLessThanOrEqual(bytesApart);
  }
  if (real.outcome.kind === "summed") {
    // Nobody is trained whose update is not in the sum.
    expect(real.trained).toEqual(real.outcome.survivors.map((id) => simulatedDeviceIndex(id)).sort(ascending));
    expect(off.traffic.bytesUp).toBeLessThan(real.traffic.bytesUp);
  } else {
    expect(real.trained).toEqual([]);
  }
  return { real, off };
}

/** A real roster is in the order of keys that are drawn anew each time: what is compared are sets. */
function inOrder(played: PlayedOut): PlayedOut {
  const { outcome } = played;
  const lost = played.lost.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  // Its detail may name a device, of several the one that comes first, and count the shares of that one's secret.
  if (outcome.kind === "abandoned") {
    const have = outcome.reason === "too-few-shares" ? 0 : outcome.have;
    return { ...played, lost, outcome: { ...outcome, have, detail: "" } };
  }
  return { ...played, lost, outcome: { ...outcome, survivors: outcome.survivors.toSorted() } };
}

const ascending = (a?: number, b?: number) => Number(a) - Number(b);
const named = (entries: readonly (readonly [number, Vanishing])[]): Plan =>
  new Map(entries.map(([index, vanishing]) => [simulatedDeviceName(index, 30), vanishing]));

function fleetsOf(changes: Parameters<typeof smallConfig>[0]): ReadonlyMap<Fidelity, Played> {
  const fleets = new Map<Fidelity, Played>();
  beforeAll(async () => {
    for (const fidelity of FIDELITIES) fleets.set(fidelity, await open(fidelity, changes));
  });
  afterAll(async () => {
    for (const fleet of fleets.values()) await fleet.dispose();
  });
  return fleets;
}

describe("a round whose cryptography is counted is the round whose cryptography is real", () => {
  const fleets = fleetsOf({});
  let round = 0;

  it("with nobody lost", async () => {
    const { real } = await compare(fleets, ++round, 8, new Map());
    expect(real.outcome).toMatchObject({ kind: "summed", survivors: { length: 8 } });
    expect(real.lost).toEqual([]);
  });

  const everyLoss = DROPOUT_STAGES.flatMap((stage) => [
    [stage, "silent", true] as const,
    [stage, "gone", false] as const,
  ]);

  it.each(everyLoss)("with one device lost at %s, %s", async (stage, _, silent) => {
    const { real } = await compare(fleets, ++round, 8, named([[3, { stage, silent }]]));
    expect(real.lost).toHaveLength(1);
    const uploaded = stage === "confirm" || stage === "unmask";
    expect(real.outcome).toMatchObject({ kind: "summed", survivors: { length: uploaded ? 8 : 7 } });
  });

  it.each(DROPOUT_STAGES)(
    "with so many lost at %s that it is abandoned, for the same reason in the same stage",
    async (stage) => {
      const lost = [0, 1, 2, 4, 6, 7].map((index) => [index, { stage, silent: index % 2 === 0 }] as const);
      const { real } = await compare(fleets, ++round, 8, named(lost));
      expect(real.outcome).toMatchObject({ kind: "abandoned", stage });
    },
  );

  it("with any devices lost anywhere", async () => {
    const vanishing = fc.option(fc.record({ stage: fc.constantFrom(...DROPOUT_STAGES), silent: fc.boolean() }), {
      nil: undefined,
      freq: 2,
    });
    const ends = new Set<string>();
    await fc.assert(
      fc.asyncProperty(fc.array(vanishing, { minLength: 8, maxLength: 8 }), async (losses) => {
        const lost = losses.flatMap((loss, index) => (loss === undefined ? [] : [[index, loss] as const]));
        const { real } = await compare(fleets, ++round, 8, named(lost));
        ends.add(real.outcome.kind);
      }),
      { numRuns: 25, seed: 5 },
    );
    expect(ends).toEqual(new Set(["summed", "abandoned"]));
  });
});

describe("on a sparse graph", () => {
  const fleets = fleetsOf({
    fleet: { devices: 90 },
    round: { cohort: 90, overSelection: 1, minCohort: 72 },
    secagg: { corrupted: 0.01, dropout: 0.05 },
  });

  it("too, with devices lost at every stage", async () => {
    const parameters = secaggParameters({ cohort: 85, corrupted: 0.01, dropout: 0.05 });
    expect(parameters).toMatchObject({ graph: "harary" });
    const lost = DROPOUT_STAGES.map((stage, i) => [11 * i, { stage, silent: i % 2 === 0 }] as const);
    // Keys draw who is whose neighbour, and so how many boxes of 80 bytes and shares of 33 the lost ones cost.
    const { real } = await compare(fleets, 1, 90, named(lost), 10 * (80 + 33));
    // Two of the seven had uploaded.
    expect(real.outcome).toMatchObject({ kind: "summed", survivors: { length: 85 } });
  });
});

describe("a round that goes on at its goal", () => {
  const fleets = fleetsOf({ round: { closeAt: "goal" } });

  it("trains as many devices as it wants, of those that would not be lost before they upload", async () => {
    const { real } = await compare(fleets, 1, 8, named([[0, { stage: "train", silent: false }]]));
    expect(real.trained).toHaveLength(6);
    const { off } = await compare(fleets, 2, 8, named([[1, { stage: "mask", silent: false }]]));
    expect(off.trained).toHaveLength(5);
  });
});
