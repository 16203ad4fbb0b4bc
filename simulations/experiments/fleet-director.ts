import { selectPlaces } from "../../server/selection/select-cohort.ts";
import { firstQuorum } from "../../server/task.ts";
import { forwardMacsFor } from "../../shared/learning/models/model-cost.ts";
import { HEADER_BYTES } from "../../shared/protocol/frame.ts";
import type { DeviceId } from "../../shared/protocol/ids.ts";
import type { SecureRandom } from "../../shared/random/secure-random.ts";
import { seededRandom } from "../../shared/random/seeded-random.ts";
import type { SecAggAgreement } from "../../shared/secagg/agreement.ts";
import { secaggParameters } from "../../shared/secagg/graph-parameters.ts";
import { laneBytesFor, packedLength } from "../../shared/secagg/ring-accumulator.ts";
import { bufferedDirector } from "../fleet/buffered-director.ts";
import { dropoutPlan } from "../fleet/dropout-plan.ts";
import { type DeviceTask, MINIMUM_MEMORY } from "../fleet/model/device-task.ts";
import { createFleetModel } from "../fleet/model/fleet-model.ts";
import { phoneDirector } from "../fleet/phone-director.ts";
import { idealDirector, type RoundDirector } from "../fleet/round-director.ts";
import { invitedPerRound, type RunConfig } from "./config.ts";
import type { Experiment } from "./experiment.ts";
import { type DrawnRoster, drawRoster, secureCoins, seededCoins } from "./privacy/draw-roster.ts";
import { type PrivacyPlan, privacyPlan } from "./privacy/privacy-plan.ts";

/**
 * Who comes to a run's rounds, as its configuration has the fleet.
 * @param random for the coins of a run that does not take them from its seed
 */
export function fleetDirector(
  experiment: Experiment,
  nameOf: (device: number) => DeviceId,
  random: SecureRandom,
): RoundDirector {
  const { config, task, holdings } = experiment;
  const { phones } = config.fleet;
  const plan = privacyPlan(config);
  if (plan !== undefined) return sampledFleet(config, plan, nameOf, random);
  if (phones === undefined) return drawnFleet(config, nameOf);
  const { era, network, availability, computeError, minimumCharge } = phones;
  const { devices: size } = config.fleet;
  const fleet = createFleetModel({ size, seed: config.seed, era, network, availability, computeError, minimumCharge });
  const deviceTask = taskOf(experiment);
  const common = {
    startsAt: phones.startsAt,
    pace: phones.pace,
    examplesOf: (device: number) => holdings.size(device),
  };
  const { buffered, minCohort } = config.round;
  if (buffered === undefined) {
    return phoneDirector(fleet, deviceTask, {
      ...common,
      invited: invitedPerRound(config),
      // Some will be lost: a round that begins with fewer than it wants is a round that is abandoned.
      need: Math.max(task.goal, firstQuorum(minCohort, task.goal)),
      selection: phones.selection,
    });
  }
  // A device that has trained says so, and masks and uploads once it is in a roster.
  const untilItWaits = { ...deviceTask, uploadBytes: HEADER_BYTES, maskBytes: 0 };
  return bufferedDirector(
    fleet,
    { untilItWaits, inSession: deviceTask },
    {
      ...common,
      concurrency: buffered.concurrency,
      goal: task.goal,
      maxStaleness: buffered.maxStaleness,
      keepsUpdate: true,
      timeout: buffered.timeout,
      selectionWindow: phones.selection,
    },
  );
}

function drawnFleet(config: RunConfig, nameOf: (device: number) => DeviceId): RoundDirector {
  const { seed } = config;
  const drawn = dropoutPlan(seed, config.fleet.dropout);
  return idealDirector({
    select(round, mayTake) {
      const random = seededRandom(seed, "selection", round);
      const { devices } = config.fleet;
      const invited = invitedPerRound(config);
      if (mayTake === undefined) return { invited: [...selectPlaces(devices, invited, random)] };
      // In the order of their names, which is that of their numbers, as a coordinator on sockets draws them.
      const able = placesOf(devices).filter(mayTake);
      return { invited: Array.from(selectPlaces(able.length, invited, random), (place) => able[place]) };
    },
    lost: (round, device) => drawn(round, nameOf(device)),
  });
}

/** Rounds under differential privacy: a Poisson cohort in a constant roster. */
function sampledFleet(
  { seed, fleet }: RunConfig,
  { privacy, sampling, roster, correlated }: PrivacyPlan,
  nameOf: (device: number) => DeviceId,
  random: SecureRandom,
): RoundDirector {
  const drawn = dropoutPlan(seed, fleet.dropout);
  const { maxParticipations = Number.POSITIVE_INFINITY } = privacy;
  const tally = participationTally();

  function draw(round: number, mayTake: (device: number) => boolean): DrawnRoster {
    const coins = privacy.randomness === "seeded" ? seededCoins(seed, round) : secureCoins(random);
    // Who has taken part as often as it may stays away: it is not drawn, and may still pad.
    const isSpent = (device: number): boolean => tally.of(device) >= maxParticipations;
    const drawnRoster = drawRoster(placesOf(fleet.devices).filter(mayTake), sampling, roster, coins, isSpent);
    tally.count(round, drawnRoster);
    return drawnRoster;
  }

  return idealDirector({
    select(round, mayTake = () => true) {
      if (correlated !== undefined) return { invited: turnOf(round, correlated.separation, fleet.devices, seed) };
      // A run that goes on draws what it drew before again: the tally is a function of the seed.
      if (privacy.maxParticipations !== undefined) for (let r = tally.rounds + 1; r < round; r++) draw(r, mayTake);
      const { members, pads } = draw(round, mayTake);
      return { invited: members, pads };
    },
    lost: (round, device) => drawn(round, nameOf(device)),
  });
}

/** How often each device was drawn so far. */
function participationTally() {
  const counts = new Map<number, number>();
  let last = 0;
  return {
    /** The last round that was counted. */
    get rounds(): number {
      return last;
    },
    of: (device: number): number => counts.get(device) ?? 0,
    count(round: number, { members, pads }: DrawnRoster): void {
      if (round <= last) return;
      last = round;
      for (const device of members) if (!pads.has(device)) counts.set(device, (counts.get(device) ?? 0) + 1);
    },
  };
}

/** Every device in every `separation`-th round, in turns that the seed deals once. */
function turnOf(round: number, separation: number, devices: number, seed: number): number[] {
  const dealt = seededRandom(seed, "turns").shuffle(placesOf(devices));
  return dealt.filter((_, place) => place % separation === round % separation);
}

function placesOf(devices: number): number[] {
  return Array.from({ length: devices }, (_, device) => device);
}

/** What a round asks of a phone, from the task's terms. */
function taskOf({ config, task, model, algorithm, initial }: Experiment): DeviceTask {
  const { terms, training } = task;
  const sent = algorithm.broadcast(algorithm.init(initial)).length;
  return {
    forwardMacs: forwardMacsFor(model),
    batch: training.batchSize,
    epochs: training.epochs,
    downloadBytes: 4 * sent,
    uploadBytes: packedLength(terms.dimension, terms.bits),
    maskBytes: config.secagg.fidelity === "off" ? 0 : maskBytes(terms, invitedPerRound(config)),
    minimumMemory: MINIMUM_MEMORY,
  };
}

/** Keystream of one device: a mask with each neighbour in the largest roster, and its own. */
function maskBytes(
  { mode, dimension, bits, corrupted, dropout }: Omit<SecAggAgreement, "roundId" | "modelHash">,
  cohort: number,
): number {
  if (mode === "plaintext") return 0;
  const parameters = secaggParameters({ cohort, corrupted, dropout });
  return parameters.ok ? (parameters.degree + 1) * dimension * laneBytesFor(bits) : 0;
}
