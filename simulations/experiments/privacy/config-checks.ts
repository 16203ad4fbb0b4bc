import { roundedUp } from "../../../shared/privacy/epsilon-statement.ts";
import { MurmurError } from "../../../shared/protocol/errors.ts";
import type { RunConfig } from "../config.ts";
import type { PrivacyConfig } from "../config-privacy.ts";
import { binomialTail } from "./constant-roster.ts";
import { isDistributed, type PrivacyPlan, privacyPlan } from "./privacy-plan.ts";

type Problem = readonly [applies: boolean, message: string, hint: string];

/** What is wrong between the `privacy` section and the others. Empty when nothing is, and without the section. */
export function checkPrivacy(config: RunConfig): MurmurError[] {
  const { privacy } = config;
  if (privacy === undefined) return [];
  const problems = [...rules(config, privacy), ...claims(config, privacy)];
  const errors = problems
    .filter(([applies]) => applies)
    .map(([, message, hint]) => new MurmurError("config-invalid", `${message}.`, { hint }));
  if (errors.length > 0) return errors;
  const plan = privacyPlan(config);
  return plan === undefined ? [] : checkPlan(config, plan);
}

/** What a round under differential privacy does not do (`privacy.md` 1.9). */
function rules({ fleet, round, algorithm, train }: RunConfig, privacy: PrivacyConfig): Problem[] {
  const { devices } = fleet;
  return [
    [
      privacy.epsilon === undefined && privacy.noiseMultiplier === undefined,
      "privacy says neither how much may be spent nor how much noise there is",
      "Set `privacy.epsilon`, and the noise follows; or `privacy.noiseMultiplier`.",
    ],
    [
      privacy.epsilon !== undefined && privacy.noiseMultiplier === 0,
      "privacy.noiseMultiplier is 0, and without noise there is no epsilon to keep to",
      "Leave `privacy.epsilon` out for a line without noise, or `privacy.noiseMultiplier`, and it follows.",
    ],
    [
      privacy.noiseMultiplier === 0 && typeof privacy.clip !== "number",
      "privacy.clip adapts by a noised count, and privacy.noiseMultiplier is 0",
      "Set `privacy.clip` to a norm.",
    ],
    [
      privacy.rounds !== undefined && privacy.rounds < round.count,
      `privacy.rounds is ${privacy.rounds}: the budget would be spent before the ${round.count} rounds are done`,
      "Raise `privacy.rounds` to `round.count` at least, or leave it out.",
    ],
    [
      privacy.delta >= 1 / devices,
      `privacy.delta is ${privacy.delta}: of ${devices} devices, one could be revealed whole and the promise kept`,
      `Set \`privacy.delta\` below 1 / fleet.devices, such as ${(0.1 / devices).toPrecision(1)}.`,
    ],
    [
      round.overSelection !== 1,
      `round.overSelection is ${round.overSelection}: whoever answers first would no longer be a random sample`,
      "Set `round.overSelection=1`: the constant roster makes up for devices that are lost.",
    ],
    [
      round.closeAt === "goal",
      "round.closeAt is goal: a race for places is no random sample, and not independent of the devices' data",
      "Set `round.closeAt=all`: a round then ends at its deadline at the latest.",
    ],
    [
      algorithm.kind === "scaffold",
      "algorithm.kind is scaffold, whose control variates would be a second release",
      "Choose another `algorithm.kind`.",
    ],
    [
      algorithm.kind !== "scaffold" && algorithm.weight === "examples",
      "algorithm.weight is examples: what a sum is divided by would depend on who is in it",
      "Set `algorithm.weight=uniform`: sums are divided by the expected cohort.",
    ],
    [train.clip !== undefined, "train.clip and privacy.clip both clip updates", "Leave `train.clip` out."],
    [
      fleet.phones !== undefined,
      "fleet.phones lets devices come when they can, and who comes is no random sample",
      "Leave `fleet.phones` out.",
    ],
    [
      round.buffered !== undefined,
      "round.buffered takes updates as they come, in a race",
      "Leave `round.buffered` out.",
    ],
    [
      privacy.sampling === undefined && round.cohort > devices,
      `round.cohort wants ${round.cohort} devices and fleet.devices has ${devices}`,
      "Lower `round.cohort` or raise `fleet.devices`.",
    ],
  ];
}

/** What would be claimed and not be so. */
function claims({ secagg, fleet }: RunConfig, privacy: PrivacyConfig): Problem[] {
  const isCorrelated = privacy.mechanism === "toeplitz" || privacy.mechanism === "banded";
  const isLocal = privacy.mechanism === "local";
  const fromDevices = isDistributed(privacy);
  const unmasked = secagg.mode === "plaintext";
  return [
    [
      privacy.maxParticipations !== undefined && privacy.randomness === "system",
      "privacy.maxParticipations counts what the seed's coins drew, and privacy.randomness is system",
      "Leave `privacy.maxParticipations` out, or set `privacy.randomness=seeded`.",
    ],
    [
      isLocal && privacy.noise !== "aggregate" && privacy.noiseMultiplier !== 0,
      "privacy.mechanism is local, which is there as a contrast: the noise of all devices is drawn at once",
      "Set `privacy.noise=aggregate`.",
    ],
    [
      (isLocal || isCorrelated) && privacy.randomness === "system",
      `privacy.mechanism is ${privacy.mechanism}, which is simulated from the seed`,
      "Set `privacy.randomness=seeded`, or choose another mechanism.",
    ],
    [
      (isLocal || isCorrelated) && typeof privacy.clip !== "number",
      `privacy.mechanism is ${privacy.mechanism}, whose noise is made for one norm`,
      "Set `privacy.clip` to a norm.",
    ],
    [
      isCorrelated && fleet.dropout > 0,
      "fleet.dropout loses devices, and an abandoned round would be a step that the correlated noise was not made for",
      "Set `fleet.dropout=0`.",
    ],
    [
      fromDevices && unmasked && privacy.noiseMultiplier !== 0,
      "secagg.mode is plaintext: the coordinator would see every update with no more than its own share of the noise",
      "Set `secagg.mode=masked`, or choose `privacy.mechanism=local`.",
    ],
    [
      privacy.randomness === "system" && secagg.fidelity !== "real" && fromDevices,
      `secagg.fidelity is ${secagg.fidelity}, and shares of noise that no mask covers protect nobody`,
      "Set `secagg.fidelity=real`, or `privacy.randomness=seeded`: a simulation.",
    ],
    [
      privacy.noise === "aggregate" && privacy.randomness === "system",
      "privacy.noise is aggregate, a simulation's shortcut: no device draws any",
      "Set `privacy.noise=device`, or `privacy.randomness=seeded`.",
    ],
    [
      privacy.noise === "device" && fromDevices && secagg.fidelity !== "real" && privacy.noiseMultiplier !== 0,
      `privacy.noise is device and secagg.fidelity is ${secagg.fidelity}: devices that are only counted draw none`,
      "Set `privacy.noise=aggregate`: one draw for all; or `secagg.fidelity=real`.",
    ],
    [
      privacy.noise === "aggregate" && fromDevices && secagg.fidelity === "real",
      "privacy.noise is aggregate: real masks would cover updates without any noise",
      "Set `privacy.noise=device`, or `secagg.fidelity=off`.",
    ],
  ];
}

function checkPlan({ fleet, round }: RunConfig, plan: PrivacyPlan): MurmurError[] {
  const { privacy, roster, noiseMultiplier, indicator, leastSurvivors } = plan;
  if (roster > fleet.devices) {
    return [
      new MurmurError(
        "cohort-impossible",
        `A round's constant roster has ${roster} devices, so that ${round.minCohort} survive, and fleet.devices has ${fleet.devices}.`,
        { hint: "Raise `fleet.devices`, or lower `round.minCohort` or `privacy.dropout`." },
      ),
    ];
  }
  if (indicator !== undefined && noiseMultiplier >= 2 * indicator.deviation) {
    return [
      new MurmurError(
        "config-invalid",
        `privacy.clip adapts by a count whose noise is ${indicator.deviation}, and that takes all that a noise multiplier of ${noiseMultiplier.toPrecision(4)} leaves.`,
        { hint: "Raise `round.cohort`, or set `privacy.clip` to a norm." },
      ),
    ];
  }
  if (privacy.epsilon !== undefined && noiseMultiplier > 0) {
    const first = plan.account.epsilon(noiseMultiplier, 1, plan.accountedDelta);
    if (first > privacy.epsilon * (1 + 1e-9)) {
      return [
        new MurmurError(
          "privacy-budget-spent",
          `One round would spend ε = ${roundedUp(first)}, and privacy.epsilon is ${privacy.epsilon}. Nothing was run.`,
        ),
      ];
    }
  }
  const lost = roster - leastSurvivors;
  const risk = fleet.dropout === 0 ? 0 : Math.exp(binomialTail(roster, fleet.dropout)(lost));
  if (isDistributed(privacy) && risk > 0.01) {
    return [
      new MurmurError(
        "config-invalid",
        `privacy.dropout allows for ${lost} of ${roster} devices to be lost, and with fleet.dropout ${fleet.dropout} more are in ${(100 * risk).toPrecision(2)} % of rounds, which are then refused.`,
        { hint: "Raise `privacy.dropout`: it costs noise. Or lower `fleet.dropout`." },
      ),
    ];
  }
  return [];
}
