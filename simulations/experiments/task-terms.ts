import { createCertificateCache } from "../../server/secagg/certificate-cache.ts";
import type { FederatedTask } from "../../server/task.ts";
import type { CryptoProvider } from "../../shared/crypto/provider.ts";
import type { Algorithm } from "../../shared/learning/algorithms/index.ts";
import type { LocalTraining } from "../../shared/learning/local-training.ts";
import { clip } from "../../shared/learning/transforms/clip.ts";
import { wrapsAround } from "../../shared/learning/transforms/index.ts";
import { quantiseTransform } from "../../shared/learning/transforms/quantise.ts";
import { weightByStaleness } from "../../shared/learning/transforms/staleness.ts";
import { weightUniformly } from "../../shared/learning/transforms/uniform.ts";
import { weightByExamples } from "../../shared/learning/transforms/weight.ts";
import { metricSlots } from "../../shared/secagg/metric-slots.ts";
import { assertRingHolds, smallestRingBits } from "../../shared/secagg/ring-bound.ts";
import { modelReference } from "../load-model.ts";
import { invitedPerRound, type RunConfig } from "./config.ts";
import { coordinatorNoise } from "./privacy/coordinator-noise.ts";
import { isNoiseless, privacyPlan } from "./privacy/privacy-plan.ts";
import { type EncodingTerms, privateTerms } from "./privacy/private-terms.ts";

/** Mean loss that a device reports at most, in nats: ten times e-fold worse than a uniform guess among ten classes. */
const LARGEST_MEAN_LOSS = 10;

/**
 * What a configuration has devices agree to.
 * @param coordinates values of the broadcast, and so of an update
 * @throws {MurmurError} ring-too-narrow
 */
export function createTask(
  config: RunConfig,
  provider: CryptoProvider,
  taskId: Uint8Array,
  coordinates: number,
  largestDevice: number,
  authority: Uint8Array | undefined,
  { procedure, training }: Pick<Algorithm, "procedure" | "training">,
): FederatedTask {
  const { secagg, round } = config;
  const plan = privacyPlan(config);
  const encoding =
    plan === undefined ? plainTerms(config, coordinates, largestDevice) : privateTerms(plan, config, coordinates);
  const maxCohort = invitedPerRound(config);
  const load = { levels: encoding.levels, largestSlot: encoding.slots.largest, maxInputs: maxCohort };
  const wraps = wrapsAround(encoding.transforms);
  const bits = wraps ? (plan?.privacy.bits ?? 16) : (secagg.bits ?? smallestRingBits(load));
  if (!wraps) assertRingHolds(bits, load);
  return {
    terms: {
      mode: secagg.mode,
      level: secagg.level,
      population: config.population,
      taskId,
      ...encoding,
      bits,
      corrupted: secagg.corrupted,
      dropout: secagg.dropout,
      rule: "protocol",
      sigma: 64,
      eta: 20,
      floors: { minCohort: round.minCohort, minHonest: secagg.minHonest },
      maxCohort,
      fixedCohort: plan?.roster ?? 0,
      minSurvivors: plan?.leastSurvivors ?? 0,
    },
    model: modelReference(config.task.model),
    training: { ...localTraining(config), ...training },
    ...(procedure === undefined ? {} : { procedure }),
    deadlines: {
      configure: round.exchangeDeadline,
      train: config.fleet.phones?.reporting ?? round.deadline,
      exchange: round.exchangeDeadline,
    },
    goal: plan?.roster ?? round.cohort,
    closeAt: round.closeAt,
    ...(plan?.privacy.randomness === "system" ? {} : { simulationSeed: config.seed }),
    ...(plan === undefined || isNoiseless(plan) ? {} : coordinatorNoise(plan, encoding, config.seed, provider)),
    ...(authority === undefined
      ? {}
      : { authority, certificates: createCertificateCache(provider, authority, config.population) }),
  };
}

/** The way of an update into the ring without differential privacy. */
function plainTerms(config: RunConfig, coordinates: number, largestDevice: number): EncodingTerms {
  const { quantise, round, train } = config;
  const levels = 2 ** (quantise.bits - 1) - 1;
  const slots = metricSlots({
    largestExampleCount: largestDevice,
    weightCap: isUniform(config) ? 1 : largestDevice,
    largestMeanLoss: LARGEST_MEAN_LOSS,
    levels,
  });
  const transforms = [
    ...(train.clip === undefined ? [] : [clip(train.clip)]),
    isUniform(config) ? weightUniformly() : weightByExamples(largestDevice),
    ...(round.buffered === undefined ? [] : [weightByStaleness(round.buffered.maxStaleness)]),
    quantiseTransform(quantise.bits, quantise.range, slots),
  ];
  return {
    transforms: transforms.map(({ specification }) => specification),
    slots,
    levels,
    noiseShare: 0,
    clip: quantise.range,
    dimension: coordinates + slots.slots.length,
  };
}

/** What the `train` section asks of a device, as devices are told. */
export function localTraining({ train }: RunConfig): LocalTraining {
  const { epochs, batch, lr, optimizer, weightDecay, gradientClip } = train;
  return {
    epochs,
    batchSize: batch,
    learningRate: lr,
    ...(optimizer.kind === "sgd" ? {} : { optimizer }),
    ...(weightDecay === 0 ? {} : { weightDecay }),
    ...(gradientClip === undefined ? {} : { gradientClip }),
  };
}

function isUniform({ algorithm }: RunConfig): boolean {
  return algorithm.kind === "scaffold" || algorithm.weight === "uniform";
}
