import { DEFAULT_POLICY } from "../../client/secagg/policy.ts";
import { ENGINES } from "../../client/training/engines.ts";
import type { RoundAbandoned, RoundFact } from "../../server/round.ts";
import { createCertificateCache } from "../../server/secagg/certificate-cache.ts";
import { selectCohort } from "../../server/selection/select-cohort.ts";
import { type FederatedTask, firstQuorum, openRound } from "../../server/task.ts";
import type { CryptoProvider } from "../../shared/crypto/provider.ts";
import { type Aggregate, type Algorithm, createAlgorithm } from "../../shared/learning/algorithms/index.ts";
import { MODELS, type ModelDefinition } from "../../shared/learning/models/index.ts";
import { initialParameters } from "../../shared/learning/models/model-parameters.ts";
import { type ParameterVector, parameterBytes } from "../../shared/learning/parameters.ts";
import { clip } from "../../shared/learning/transforms/clip.ts";
import { quantiseTransform } from "../../shared/learning/transforms/quantise.ts";
import type { Metrics } from "../../shared/learning/transforms/update-transform.ts";
import { weightByExamples } from "../../shared/learning/transforms/weight.ts";
import type { DeviceId } from "../../shared/protocol/ids.ts";
import { seededRandom } from "../../shared/random/seeded-random.ts";
import { metricSlots } from "../../shared/secagg/metric-slots.ts";
import { assertRingHolds, smallestRingBits } from "../../shared/secagg/ring-bound.ts";
import { allExamples, type Dataset, gatherExamples, loadDataset } from "../datasets/index.ts";
import { partitionExamples } from "../datasets/partitions/index.ts";
import { dropoutPlan, type Vanishing } from "../fleet/dropout-plan.ts";
import type { FleetJournal, FleetUpload } from "../fleet/fleet-journal.ts";
import { type InProcessTraffic, runInProcess } from "../fleet/in-process-round.ts";
import { type Certify, createSimulatedFleet } from "../fleet/simulated-fleet.ts";
import { invitedPerRound, type RunConfig } from "./config.ts";
import { plainSumEquals } from "./oracle.ts";

/** A fleet, its data and its coordinator's task, ready to play rounds. It keeps nothing between rounds but the fleet. */
export interface Federation {
  readonly task: FederatedTask;
  readonly model: ModelDefinition;
  readonly dataset: Dataset;
  readonly algorithm: Algorithm;
  /** Before the first round, drawn from the seed. */
  readonly initial: ParameterVector;
  /** On the public test set. */
  evaluate(parameters: ParameterVector): Promise<{ readonly accuracy: number; readonly loss: number }>;
  /**
   * Plays one round. It depends on the configuration, the number, the parameters and, at `active-server`, on which
   * uploads have left, and on nothing else: not on the host's speed, nor on the secrets that the devices draw.
   */
  play(round: number, parameters: ParameterVector, observer: RoundObserver): Promise<PlayedRound>;
  /** Takes an upload for one that has left, of a round that was interrupted and is not played again. */
  recall(upload: FleetUpload): void;
  dispose(): Promise<void>;
}

export interface FederationOptions {
  readonly config: RunConfig;
  readonly provider: CryptoProvider;
  /** 16 bytes. */
  readonly taskId: Uint8Array;
  readonly journal: Pick<FleetJournal, "uploads" | "record">;
  /** At `active-server`. */
  readonly authority?: { readonly publicKey: Uint8Array; readonly certify: Certify };
}

export interface RoundObserver {
  /** Who is in the round, before anything is sent. */
  onSelected(invited: readonly DeviceId[]): void;
  onFacts(facts: readonly RoundFact[]): void;
  /** A device's engine failed; the round goes on without it. */
  onTrainingError(device: DeviceId, error: unknown): void;
  /** Lets the process's other events in. */
  breathe(): Promise<void>;
  /** Whether to abandon the round at once. */
  stopped(): boolean;
  /** Milliseconds since the epoch, at the round's start. */
  readonly startsAt: number;
}

export interface PlayedRound {
  readonly invited: number;
  readonly traffic: InProcessTraffic;
  readonly outcome:
    | {
        readonly kind: "summed";
        readonly aggregate: Aggregate;
        /** Summed metric slots. */
        readonly metrics: Metrics;
        readonly survivors: readonly DeviceId[];
        /** The unmasked sum equals the plain sum of the survivors' quantised updates, bit for bit. */
        readonly exact: boolean;
      }
    | ({ readonly kind: "abandoned" } & RoundAbandoned);
}

/** Mean loss that a device reports at most, in nats: ten times e-fold worse than a uniform guess among ten classes. */
const LARGEST_MEAN_LOSS = 10;

/** @throws {MurmurError} when data, model, ring or engine cannot serve the configuration. */
export async function createFederation(options: FederationOptions): Promise<Federation> {
  const { config, provider, taskId, authority } = options;
  const { seed } = config;
  const model = requireModel(config.task.model);
  const dataset = await loadDataset(config.task.dataset, seed);
  const partition = partitionExamples(
    dataset.train.labels,
    config.fleet.devices,
    seededRandom(seed, "partition"),
    config.task.partition,
  );
  const initial = initialParameters(model, seededRandom(seed, "parameters"));
  const largestDevice = partition.reduce((most, indices) => Math.max(most, indices.length), 0);
  const task = createTask(config, provider, taskId, initial.length, largestDevice, authority?.publicKey);
  const trainer = await ENGINES[config.train.engine](model);
  const test = allExamples(dataset.test);
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
    observeInput: (device, _roundId, input) => inputs.set(device, input),
  });
  const vanishing = dropoutPlan(seed, config.fleet.dropout);

  /** At `active-server` a device gives one upload for a model, so whoever has given it is not asked again. */
  function eligible(modelHash: Uint8Array): readonly DeviceId[] {
    if (task.authority === undefined) return fleet.devices;
    return fleet.devices.filter((device) => !fleet.hasUploaded(device, modelHash));
  }

  async function play(number: number, parameters: ParameterVector, observer: RoundObserver): Promise<PlayedRound> {
    const candidates = eligible(provider.sha256(parameterBytes(parameters)));
    const invited = selectCohort(candidates, invitedPerRound(config), seededRandom(seed, "selection", number));
    observer.onSelected(invited);
    const need = firstQuorum(task.terms.floors.minCohort, task.goal);
    if (task.authority !== undefined && invited.length < need) return exhausted(invited.length, need);
    const nowSeconds = Math.floor(observer.startsAt / 1000);
    const {
      round,
      agreement,
      model: modelBytes,
      decode,
    } = openRound(provider, task, number, parameters, invited, nowSeconds);
    const plan = new Map<DeviceId, Vanishing | undefined>(invited.map((device) => [device, vanishing(number, device)]));
    inputs.clear();
    const traffic = await runInProcess({
      round,
      model: modelBytes,
      device: (id) => fleet.device(id),
      train: (id, request) =>
        trainer.train(
          request.parameters,
          gatherExamples(dataset.train, partition[fleet.index(id)]),
          request.task,
          request.random,
        ),
      vanishing: (id) => plan.get(id),
      onTrainingError: observer.onTrainingError,
      onFacts: observer.onFacts,
      breathe: observer.breathe,
      stopped: observer.stopped,
      startsAt: observer.startsAt,
    });
    if (round.result === undefined) {
      inputs.clear();
      if (round.abandoned === undefined) throw new Error("a round that is over has a sum, or a reason");
      return { invited: invited.length, traffic, outcome: { kind: "abandoned", ...round.abandoned } };
    }
    const { sum, survivors } = round.result;
    const exact = plainSumEquals(sum, survivors, inputs, agreement.bits);
    inputs.clear();
    const { values, metrics } = decode(sum, survivors.length);
    const aggregate = { delta: values, weight: metrics.weight ?? 0, survivors: survivors.length };
    return { invited: invited.length, traffic, outcome: { kind: "summed", aggregate, metrics, survivors, exact } };
  }

  return {
    task,
    model,
    dataset,
    algorithm: createAlgorithm(config.algorithm),
    initial,
    async evaluate(parameters) {
      const { examples, correct, lossSum } = await trainer.evaluate(parameters, test);
      return { accuracy: correct / examples, loss: lossSum / examples };
    },
    play,
    recall: fleet.recall,
    dispose: () => trainer.dispose(),
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

function createTask(
  config: RunConfig,
  provider: CryptoProvider,
  taskId: Uint8Array,
  parameters: number,
  largestDevice: number,
  authority: Uint8Array | undefined,
): FederatedTask {
  const { quantise, secagg, round, train } = config;
  const levels = 2 ** (quantise.bits - 1) - 1;
  const slots = metricSlots({
    largestExampleCount: largestDevice,
    weightCap: largestDevice,
    largestMeanLoss: LARGEST_MEAN_LOSS,
    levels,
  });
  const maxCohort = invitedPerRound(config);
  const load = { levels, largestSlot: slots.largest, maxInputs: maxCohort };
  const bits = secagg.bits ?? smallestRingBits(load);
  assertRingHolds(bits, load);
  const transforms = [
    ...(train.clip === undefined ? [] : [clip(train.clip)]),
    weightByExamples(largestDevice),
    quantiseTransform(quantise.bits, quantise.range, slots),
  ];
  return {
    terms: {
      mode: secagg.mode,
      level: secagg.level,
      population: config.population,
      taskId,
      dimension: parameters + slots.slots.length,
      bits,
      levels,
      clip: quantise.range,
      slots,
      transforms: transforms.map(({ specification }) => specification),
      corrupted: secagg.corrupted,
      dropout: secagg.dropout,
      rule: "protocol",
      sigma: 64,
      eta: 20,
      floors: { minCohort: round.minCohort, minHonest: secagg.minHonest },
      maxCohort,
      fixedCohort: 0,
      minSurvivors: 0,
      noiseShare: 0,
    },
    model: config.task.model,
    training: { epochs: train.epochs, batchSize: train.batch, learningRate: train.lr },
    deadlines: { configure: round.exchangeDeadline, train: round.deadline, exchange: round.exchangeDeadline },
    goal: round.cohort,
    closeAt: round.closeAt,
    simulationSeed: config.seed,
    ...(authority === undefined
      ? {}
      : { authority, certificates: createCertificateCache(provider, authority, config.population) }),
  };
}

function requireModel(name: string): ModelDefinition {
  const model = MODELS.get(name);
  if (model === undefined) throw new Error(`the configuration names a model that is not listed: ${name}`);
  return model;
}
