import { DEFAULT_POLICY } from "../../client/secagg/policy.ts";
import type { MemoryStore } from "../../client/storage/memory-store.ts";
import { selectCohort } from "../../server/selection/select-cohort.ts";
import { type Broadcast, firstQuorum, openRound } from "../../server/task.ts";
import type { CryptoProvider } from "../../shared/crypto/provider.ts";
import { parameterBytes } from "../../shared/learning/parameters.ts";
import type { DeviceId } from "../../shared/protocol/ids.ts";
import { seededRandom } from "../../shared/random/seeded-random.ts";
import { countedRound, sumsWhereTrained } from "../fleet/counting/counted-round.ts";
import { dropoutPlan, type Vanishing } from "../fleet/dropout-plan.ts";
import type { FleetJournal, FleetUpload } from "../fleet/fleet-journal.ts";
import { runInProcess } from "../fleet/in-process-round.ts";
import { roundTraining } from "../fleet/round-training.ts";
import { type Certify, createSimulatedFleet } from "../fleet/simulated-fleet.ts";
import type { CreatePool } from "../fleet/training/training-pool.ts";
import { invitedPerRound, type RunConfig } from "./config.ts";
import { prepareExperiment } from "./experiment.ts";
import { type Federation, type PlayedRound, type RoundObserver, summedOutcome } from "./federation.ts";
import { plainSumEquals } from "./oracle.ts";

/**
 * One process plays every device. A round depends on the configuration, its number, the parameters and, at
 * `active-server`, on which uploads have left, and on nothing else: not on the host's speed, nor on the secrets that the
 * devices draw.
 */
export interface InProcessFederation extends Federation {
  /** As {@link Federation.play}, with other devices or other losses than those that the seed draws. */
  replay(
    round: number,
    broadcast: Broadcast,
    observer: RoundObserver,
    course: RoundCourse | undefined,
  ): Promise<PlayedRound>;
  /** Takes an upload for one that has left, of a round that was interrupted and is not played again. */
  recall(upload: FleetUpload): void;
}

/** Who was in a round and who was lost where, as it was recorded. */
export interface RoundCourse {
  readonly invited: readonly DeviceId[];
  readonly lost: ReadonlyMap<DeviceId, Vanishing>;
}

export interface InProcessOptions {
  readonly config: RunConfig;
  readonly provider: CryptoProvider;
  /** 16 bytes. */
  readonly taskId: Uint8Array;
  readonly journal: Pick<FleetJournal, "uploads" | "record">;
  readonly memories: Pick<MemoryStore, "of">;
  /** At `active-server`. */
  readonly authority?: { readonly publicKey: Uint8Array; readonly certify: Certify };
  /** Told when another engine trains than the one that was asked for. */
  readonly warn?: (text: string) => void;
  /** Where devices are trained; without it, in this thread. */
  readonly createPool?: CreatePool;
}

/** @throws {MurmurError} when data, model, ring or engine cannot serve the configuration. */
export async function createInProcessFederation(options: InProcessOptions): Promise<InProcessFederation> {
  const { config, provider, taskId, authority } = options;
  const { seed } = config;
  const experiment = await prepareExperiment({
    config,
    provider,
    taskId,
    ...(authority === undefined ? {} : { authority: authority.publicKey }),
    ...(options.warn === undefined ? {} : { warn: options.warn }),
    ...(options.createPool === undefined ? {} : { createPool: options.createPool }),
  });
  const { task, pool } = experiment;
  const { fidelity } = config.secagg;
  const inputs = new Map<DeviceId, Int32Array>();
  const fleet = createSimulatedFleet({
    size: config.fleet.devices,
    provider,
    policy: {
      ...DEFAULT_POLICY,
      minCohort: config.round.minCohort,
      minHonest: config.secagg.minHonest,
      corrupted: config.secagg.corrupted,
      dropout: config.secagg.dropout,
      allowPlaintext: config.secagg.mode === "plaintext",
    },
    ...(authority === undefined ? {} : { authority }),
    uploads: options.journal.uploads,
    recordUpload: (upload) => options.journal.record(upload),
    memoryOf: (device) => options.memories.of(device),
    observeInput: (device, _roundId, input) => inputs.set(device, input),
  });
  const drawn = dropoutPlan(seed, config.fleet.dropout);

  /** At `active-server` a device gives one upload for a model, so whoever has given it is not asked again. */
  function eligible(modelHash: Uint8Array): readonly DeviceId[] {
    if (task.authority === undefined) return fleet.devices;
    return fleet.devices.filter((device) => !fleet.hasUploaded(device, modelHash));
  }

  function selected(number: number, { values }: Broadcast): readonly DeviceId[] {
    const candidates = eligible(provider.sha256(parameterBytes(values)));
    return selectCohort(candidates, invitedPerRound(config), seededRandom(seed, "selection", number));
  }

  async function replay(
    number: number,
    broadcast: Broadcast,
    observer: RoundObserver,
    course: RoundCourse | undefined,
  ): Promise<PlayedRound> {
    const invited = course?.invited ?? selected(number, broadcast);
    observer.onSelected(invited);
    const need = firstQuorum(task.terms.floors.minCohort, task.goal);
    if (task.authority !== undefined && invited.length < need) return exhausted(invited.length, need);
    const lost = course?.lost ?? new Map(invited.map((device) => [device, drawn(number, device)]));
    const nowSeconds = Math.floor(observer.startsAt / 1000);
    const opened = openRound(provider, task, number, broadcast, invited, nowSeconds, {
      ...(fidelity === "real" ? {} : { createSecAgg: (session) => counted.createSecAgg(session) }),
    });
    const { round, binding, configuration } = opened;
    const { agreement } = configuration;
    const isSummedInPlace = fidelity !== "real" && sumsWhereTrained(configuration);
    const training = roundTraining(pool, fleet.index, isSummedInPlace ? agreement : undefined);
    const counted = countedRound({
      fidelity: fidelity === "off" ? "off" : "accounted",
      configuration,
      binding,
      broadcast: broadcast.values,
      seed,
      round: number,
      memoryOf: (device) => options.memories.of(device),
      sum: training.sum,
    });
    const cast =
      fidelity === "real"
        ? { device: fleet.device, bytesOf: (frame: Uint8Array) => frame.length, model: () => opened.model.slice() }
        : { device: counted.device, bytesOf: counted.bytesOf, model: () => opened.model };
    inputs.clear();
    try {
      const traffic = await runInProcess({
        ...cast,
        round,
        goal: task.closeAt === "goal" ? task.goal : undefined,
        prepare: (orders) => training.prepare(number, orders),
        train: (order) => training.train(number, order),
        vanishing: (id) => lost.get(id),
        onTrainingError: observer.onTrainingError,
        onFacts: observer.onFacts,
        breathe: observer.breathe,
        stopped: () => observer.stop.request === "now",
        startsAt: observer.startsAt,
      });
      if (round.result === undefined) {
        if (round.abandoned === undefined) throw new Error("a round that is over has a sum, or a reason");
        return { invited: invited.length, traffic, outcome: { kind: "abandoned", ...round.abandoned } };
      }
      const { sum, survivors } = round.result;
      // Where nothing was masked there is nothing to compare.
      const exact = fidelity === "real" ? plainSumEquals(sum, survivors, inputs, agreement.bits) : undefined;
      const outcome = summedOutcome(opened.decode(sum, survivors.length), survivors, exact);
      return { invited: invited.length, traffic, outcome };
    } finally {
      training.end();
      inputs.clear();
    }
  }

  return {
    experiment,
    ready: async () => "ready",
    play: (number, broadcast, observer) => replay(number, broadcast, observer, undefined),
    replay,
    recall: fleet.recall,
    dispose: () => experiment.dispose(),
  };
}

/** At `active-server` an upload that left counts as opened: a model that most devices have answered is used up. */
function exhausted(have: number, need: number): PlayedRound {
  const detail = `${have} devices have not uploaded for this model yet, ${need} are needed`;
  return {
    invited: have,
    traffic: { bytesUp: 0, bytesDown: 0 },
    outcome: { kind: "abandoned", stage: "select", reason: "model-exhausted", have, need, detail },
  };
}
