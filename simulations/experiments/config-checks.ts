import { MurmurError } from "../../shared/protocol/errors.ts";
import { type AgreedParameters, secaggParameters } from "../../shared/secagg/graph-parameters.ts";
import { assertRingHolds, smallestRingBits } from "../../shared/secagg/ring-bound.ts";
import { invitedPerRound, type RunConfig } from "./config.ts";
import { checkPrivacy } from "./privacy/config-checks.ts";

/** What is wrong between the keys of a configuration, each of which is right by itself. Empty when nothing is. */
export function checkRunConfig(config: RunConfig): MurmurError[] {
  // How many devices a round has rests on the privacy section, where there is one.
  const privacy = checkPrivacy(config);
  if (privacy.length > 0) return privacy;
  const cohort = checkCohort(config);
  // What a roster needs can only be asked where there can be a roster.
  const rest = cohort.length > 0 ? cohort : [...checkProtection(config), ...checkRing(config)];
  return [...checkAlgorithm(config), ...checkSimulation(config), ...rest];
}

/** What a simulation cannot play. */
function checkSimulation({ fleet, round, secagg, algorithm }: RunConfig): MurmurError[] {
  const { fidelity, mode, level } = secagg;
  const problems: [boolean, string, string][] = [
    [
      fidelity !== "real" && mode === "plaintext",
      `secagg.fidelity is ${fidelity}, and secagg.mode plaintext has no cryptography to leave out`,
      "Leave one of the two out.",
    ],
    [
      fidelity !== "real" && level === "active-server",
      `secagg.fidelity is ${fidelity}, and nothing that is only counted protects from an active coordinator`,
      "Leave `secagg.level` out, or set `secagg.fidelity=real`.",
    ],
    [
      fleet.phones !== undefined && level === "active-server",
      "fleet.phones chooses devices by their eligibility alone, and at active-server a device gives one upload for a model",
      "Leave `secagg.level` out, or `fleet.phones`.",
    ],
    [
      round.buffered !== undefined && fleet.phones === undefined,
      "round.buffered needs a clock, which only fleet.phones has",
      "Set `fleet.phones={}` (with `availability: always`, if every device is to be there at every time).",
    ],
    [
      round.buffered !== undefined && algorithm.kind === "scaffold",
      "round.buffered mixes updates of several models, and SCAFFOLD's control variates are of one",
      "Choose another `algorithm.kind`.",
    ],
    [
      round.buffered !== undefined && round.buffered.concurrency < round.cohort,
      `round.buffered.concurrency is ${round.buffered?.concurrency}, and round.cohort ${round.cohort} devices have to wait for each other`,
      "Raise `round.buffered.concurrency` to a few times `round.cohort`.",
    ],
  ];
  return problems
    .filter(([applies]) => applies)
    .map(([, message, hint]) => new MurmurError("config-invalid", `${message}.`, { hint }));
}

/** The graph's parameters for every roster that a round of `config` can close with, smallest roster first. */
export function possibleRosters(
  config: RunConfig,
): { readonly roster: number; readonly parameters: AgreedParameters }[] {
  const { corrupted, dropout } = config.secagg;
  const sizes = Array.from(
    { length: invitedPerRound(config) - config.round.minCohort + 1 },
    (_, i) => config.round.minCohort + i,
  );
  return sizes.map((roster) => {
    const parameters = secaggParameters({ cohort: roster, corrupted, dropout });
    if (!parameters.ok) {
      throw new MurmurError(
        "cohort-impossible",
        `A round that closes with ${roster} devices cannot be protected. ${parameters.reason}`,
      );
    }
    return { roster, parameters };
  });
}

/** What SCAFFOLD's paper does not define: its control variates are gradients of plain SGD, and go through the sum whole. */
function checkAlgorithm({ algorithm, train }: RunConfig): MurmurError[] {
  if (algorithm.kind !== "scaffold") return [];
  const problems: [boolean, string, string][] = [
    [
      train.optimizer.kind !== "sgd",
      `train.optimizer is ${train.optimizer.kind}, and SCAFFOLD's control variates are defined for plain SGD`,
      "Leave `train.optimizer` out, or choose another `algorithm.kind`, such as fedavgm: momentum on the coordinator.",
    ],
    [
      train.gradientClip !== undefined,
      "train.gradientClip shortens gradients that SCAFFOLD's control variates have to add up to",
      "Leave `train.gradientClip` out, or lower `train.lr`.",
    ],
    [
      train.clip !== undefined,
      "train.clip would shorten an update and its control variate together, by the norm of both",
      "Leave `train.clip` out, or choose another `algorithm.kind`.",
    ],
  ];
  return problems
    .filter(([applies]) => applies)
    .map(([, message, hint]) => new MurmurError("config-invalid", `${message}.`, { hint }));
}

function checkCohort(config: RunConfig): MurmurError[] {
  const { cohort, minCohort } = config.round;
  const { devices } = config.fleet;
  const invited = invitedPerRound(config);
  if (cohort > devices) {
    return [
      new MurmurError("cohort-impossible", `round.cohort wants ${cohort} devices and fleet.devices has ${devices}.`, {
        hint: "Lower `round.cohort` or raise `fleet.devices`.",
      }),
    ];
  }
  if (invited > devices) {
    return [
      new MurmurError(
        "cohort-impossible",
        `A round invites ${invited} devices (round.cohort ${cohort} times round.overSelection ${config.round.overSelection}) and fleet.devices has ${devices}.`,
        { hint: "Lower `round.cohort` or `round.overSelection`, or raise `fleet.devices`." },
      ),
    ];
  }
  if (minCohort > invited) {
    return [
      new MurmurError(
        "cohort-impossible",
        `round.minCohort wants at least ${minCohort} survivors, and a round invites only ${invited} devices.`,
        { hint: "Lower `round.minCohort`, or raise `round.cohort` or `round.overSelection`." },
      ),
    ];
  }
  return [];
}

function checkProtection(config: RunConfig): MurmurError[] {
  const { mode, insecure, level, authority, minHonest } = config.secagg;
  if (mode === "plaintext") {
    if (insecure) return [];
    return [
      new MurmurError(
        "plaintext-undeclared",
        "secagg.mode is plaintext, so the coordinator would see every device's update.",
      ),
    ];
  }
  if (level === "active-server" && authority === undefined) {
    return [
      new MurmurError(
        "authority-missing",
        "secagg.level is active-server and secagg.authority names no enrolment authority.",
      ),
    ];
  }
  try {
    const { parameters } = possibleRosters(config)[0];
    const honest = config.round.minCohort - parameters.corruptedTolerated;
    if (honest >= minHonest) return [];
    return [
      new MurmurError(
        "cohort-impossible",
        `A sum over round.minCohort ${config.round.minCohort} devices, of which ${parameters.corruptedTolerated} may be corrupted, holds ${honest} honest updates; secagg.minHonest wants ${minHonest}.`,
        { hint: "Raise `round.minCohort`, or lower `secagg.minHonest`." },
      ),
    ];
  } catch (error) {
    if (error instanceof MurmurError) return [error];
    throw error;
  }
}

/** Without the metric slots, whose size depends on the data: what fails here fails with any. */
function checkRing(config: RunConfig): MurmurError[] {
  const load = { levels: 2 ** (config.quantise.bits - 1) - 1, largestSlot: 0, maxInputs: invitedPerRound(config) };
  try {
    assertRingHolds(config.secagg.bits ?? smallestRingBits(load), load);
    return [];
  } catch (error) {
    if (error instanceof MurmurError) return [error];
    throw error;
  }
}
