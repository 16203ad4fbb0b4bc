import { DEFAULT_POLICY } from "../../client/secagg/policy.ts";
import type { MemoryStore } from "../../client/storage/memory-store.ts";
import type { EarlierModel } from "../../client/training/trainer.ts";
import { type Broadcast, firstQuorum } from "../../server/task.ts";
import type { CryptoProvider } from "../../shared/crypto/provider.ts";
import { parameterBytes } from "../../shared/learning/parameters.ts";
import type { DeviceId } from "../../shared/protocol/ids.ts";
import type { RoundRecord } from "../../shared/protocol/round-record.ts";
import type { Vanishing } from "../fleet/dropout-plan.ts";
import type { FleetJournal, FleetUpload } from "../fleet/fleet-journal.ts";
import type { TrainedFrom } from "../fleet/round-director.ts";
import { type Certify, createSimulatedFleet } from "../fleet/simulated-fleet.ts";
import type { CreatePool } from "../fleet/training/training-pool.ts";
import type { RunConfig } from "./config.ts";
import { type Experiment, prepareExperiment } from "./experiment.ts";
import type { Federation, PlayedRound, RoundObserver } from "./federation.ts";
import { fleetDirector } from "./fleet-director.ts";
import { type PlaySetting, playInProcess, type RoundToPlay } from "./in-process-play.ts";

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
  resume(round: RoundRecord): Promise<void>;
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
  const { config, provider, taskId, authority, warn, createPool } = options;
  const experiment = await prepareExperiment({
    config,
    provider,
    taskId,
    ...(authority === undefined ? {} : { authority: authority.publicKey }),
    ...(warn === undefined ? {} : { warn }),
    ...(createPool === undefined ? {} : { createPool }),
  });
  try {
    return federationOf(experiment, options);
  } catch (error) {
    await experiment.dispose();
    throw error;
  }
}

function federationOf(experiment: Experiment, options: InProcessOptions): InProcessFederation {
  const { config, provider, authority } = options;
  const { task } = experiment;
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
  const director = fleetDirector(experiment, fleet.name, provider.random);
  const setting: PlaySetting = {
    provider,
    task,
    fidelity: config.secagg.fidelity,
    seed: config.seed,
    pool: experiment.pool,
    device: fleet.device,
    indexOf: fleet.index,
    memoryOf: (device) => options.memories.of(device),
    inputs,
  };
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
  async function resume({ round, outcome, virtual }: RoundRecord): Promise<void> {
    await director.open(round, { breathe: async () => {}, stopped: () => false });
    director.close(virtual?.elapsed ?? 0);
    committed.push(outcome === "committed");
  }

  async function replay(
    number: number,
    broadcast: Broadcast,
    observer: RoundObserver,
    course: RoundCourse | undefined,
  ): Promise<PlayedRound> {
    const { breathe, stop } = observer;
    const able = mayTake(broadcast);
    const watch = { breathe, stopped: () => stop.request === "now", ...(able === undefined ? {} : { mayTake: able }) };
    const script = await director.open(number, watch);
    const invited = course?.invited ?? script.invited.map(fleet.name);
    observer.onSelected(invited);
    const need = firstQuorum(task.terms.floors.minCohort, task.goal);
    if (task.authority !== undefined && invited.length < need) return exhausted(invited.length, need);
    const round: RoundToPlay = {
      number,
      broadcast,
      invited,
      script,
      lost: (id) => (course === undefined ? script.lost(fleet.index(id)) : course.lost.get(id)),
      isPad: (id) => script.pads?.has(fleet.index(id)) ?? false,
      earlier: (id) => earlierModel(broadcast, script.trainedFrom?.(fleet.index(id))),
    };
    const played = await playInProcess(setting, round, observer);
    director.close(played.virtual?.elapsed ?? 0);
    committed.push(played.outcome.kind === "summed");
    const { lostBefore } = script;
    return lostBefore === undefined ? played : { ...played, lostBefore };
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

/** At `active-server` an upload that left counts as opened: a model that most devices have answered is used up. */
function exhausted(have: number, need: number): PlayedRound {
  const detail = `${have} devices have not uploaded for this model yet, ${need} are needed`;
  return {
    invited: have,
    traffic: { bytesUp: 0, bytesDown: 0 },
    outcome: { kind: "abandoned", stage: "select", reason: "model-exhausted", have, need, detail },
  };
}
