import { DEFAULT_POLICY } from "../../client/secagg/policy.ts";
import type { MemoryStore } from "../../client/storage/memory-store.ts";
import type { EarlierModel } from "../../client/training/trainer.ts";
import { type Broadcast, type FederatedTask, firstQuorum, openRound } from "../../server/task.ts";
import type { CryptoProvider } from "../../shared/crypto/provider.ts";
import { parameterBytes } from "../../shared/learning/parameters.ts";
import { encodeDecline } from "../../shared/protocol/control-messages.ts";
import type { DeviceId } from "../../shared/protocol/ids.ts";
import type { RoundRecord } from "../../shared/protocol/round-record.ts";
import { countedRound, sumsWhereTrained } from "../fleet/counting/counted-round.ts";
import type { Vanishing } from "../fleet/dropout-plan.ts";
import type { FleetJournal, FleetUpload } from "../fleet/fleet-journal.ts";
import { type InProcessRoundOptions, runInProcess, type TrainingOrder } from "../fleet/in-process-round.ts";
import type { RoundScript, TrainedFrom } from "../fleet/round-director.ts";
import { roundTraining } from "../fleet/round-training.ts";
import { type Certify, createSimulatedFleet } from "../fleet/simulated-fleet.ts";
import type { CreatePool } from "../fleet/training/training-pool.ts";
import type { RunConfig } from "./config.ts";
import { prepareExperiment } from "./experiment.ts";
import { type Federation, type PlayedRound, type RoundObserver, summedOutcome } from "./federation.ts";
import { fleetDirector } from "./fleet-director.ts";
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
  /** Takes a round for played, that was in an earlier process of this run. In the order of the rounds. */
  resume(round: RoundRecord): void;
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
  const director = fleetDirector(experiment, fleet.name);
  /** Of the rounds that the director has opened: whether each made a new model. */
  const committed: boolean[] = [];

  /** At `active-server` a device gives one upload for a model, so whoever has given it is not asked again. */
  function mayTake({ values }: Broadcast): ((device: number) => boolean) | undefined {
    if (task.authority === undefined) return undefined;
    const modelHash = provider.sha256(parameterBytes(values));
    return (device) => !fleet.hasUploaded(fleet.name(device), modelHash);
  }

  /** Where a device began that waited while other rounds ended; undefined when the model is still the same. */
  function earlierModel({ earlier = [] }: Broadcast, from: TrainedFrom | undefined): EarlierModel | undefined {
    if (from === undefined || from.staleness === 0) return undefined;
    const staleness = committed.slice(-from.staleness).filter((made) => made).length;
    if (staleness === 0) return undefined;
    if (staleness > earlier.length) throw new Error(`a model of ${staleness} models ago is not kept`);
    return { parameters: earlier[staleness - 1], staleness };
  }

  /** A round that was played in an earlier process of this run. */
  function resume({ round, outcome, virtual }: RoundRecord): void {
    director.open(round);
    director.close(virtual?.elapsed ?? 0);
    committed.push(outcome === "committed");
  }

  async function replay(
    number: number,
    broadcast: Broadcast,
    observer: RoundObserver,
    course: RoundCourse | undefined,
  ): Promise<PlayedRound> {
    const script = director.open(number, mayTake(broadcast));
    const invited = course?.invited ?? script.invited.map(fleet.name);
    observer.onSelected(invited);
    const { lostBefore = [] } = script;
    observer.onFacts(
      lostBefore.map(({ device, stage, reason }) => ({ kind: "lost", device: fleet.name(device), stage, reason })),
    );
    const played = await play(number, broadcast, observer, script, invited, course?.lost);
    director.close(played.virtual?.elapsed ?? 0);
    committed.push(played.outcome.kind === "summed");
    return played;
  }

  async function play(
    number: number,
    broadcast: Broadcast,
    observer: RoundObserver,
    script: RoundScript,
    invited: readonly DeviceId[],
    lost: RoundCourse["lost"] | undefined,
  ): Promise<PlayedRound> {
    const need = firstQuorum(task.terms.floors.minCohort, task.goal);
    if (task.authority !== undefined && invited.length < need) return exhausted(invited.length, need);
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
    const asTrained = (order: TrainingOrder): TrainingOrder => {
      const earlier = earlierModel(broadcast, script.trainedFrom?.(fleet.index(order.id)));
      return earlier === undefined ? order : { ...order, earlier };
    };
    inputs.clear();
    try {
      const ran = await runInProcess({
        ...cast,
        round,
        goal: task.closeAt === "goal" ? task.goal : undefined,
        prepare: (orders) => training.prepare(number, orders.map(asTrained)),
        train: (order) => training.train(number, asTrained(order)),
        lost: (id) => (lost === undefined ? script.lost(fleet.index(id)) : lost.get(id)),
        decline: (code) => encodeDecline(binding, code),
        ...timing(script, task, fleet.index),
        onTrainingError: observer.onTrainingError,
        onFacts: observer.onFacts,
        breathe: observer.breathe,
        stopped: () => observer.stop.request === "now",
        startsAt: script.at ?? observer.startsAt,
      });
      const { bytesUp, bytesDown, elapsed } = ran;
      const outline = {
        invited: invited.length,
        traffic: { bytesUp, bytesDown },
        ...(script.at === undefined ? {} : { virtual: { at: script.at, elapsed } }),
      };
      if (round.result === undefined) {
        if (round.abandoned === undefined) throw new Error("a round that is over has a sum, or a reason");
        return { ...outline, outcome: { kind: "abandoned", ...round.abandoned } };
      }
      const { sum, survivors } = round.result;
      // Where nothing was masked there is nothing to compare.
      const exact = fidelity === "real" ? plainSumEquals(sum, survivors, inputs, agreement.bits) : undefined;
      return { ...outline, outcome: summedOutcome(opened.decode(sum, survivors.length), survivors, exact) };
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
    resume,
    recall: fleet.recall,
    dispose: () => experiment.dispose(),
  };
}

/** How long the script's devices take, by their names. */
function timing(
  { pace, reporting }: RoundScript,
  { deadlines }: FederatedTask,
  indexOf: (device: DeviceId) => number,
): Pick<InProcessRoundOptions, "pace" | "latest"> {
  if (pace === undefined) return {};
  return {
    latest: deadlines.configure + (reporting ?? deadlines.train),
    pace: {
      trained: (id, bytes) => pace.trained(indexOf(id)) + pace.answer(indexOf(id), bytes, false),
      answer: (id, stage, bytes) =>
        stage === "configure" ? pace.accepted(indexOf(id)) : pace.answer(indexOf(id), bytes, stage === "mask"),
    },
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
