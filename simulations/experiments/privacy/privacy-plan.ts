import { calibratedNoise } from "../../../shared/privacy/accounting/calibrate.ts";
import type { ToeplitzFactor } from "../../../shared/privacy/correlated/toeplitz.ts";
import type { RunConfig } from "../config.ts";
import type { PrivacyConfig } from "../config-privacy.ts";
import { constantRoster, leastSurvivorsOf } from "./constant-roster.ts";
import {
  centralAccount,
  correlatedAccount,
  correlatedFactor,
  integerAccount,
  localAccount,
  type MechanismAccount,
} from "./mechanism-account.ts";

/** What a configuration's `privacy` section comes to: a function of the configuration, known before data is read. */
export interface PrivacyPlan {
  readonly privacy: PrivacyConfig;
  /** N: devices of which each may be in a round. */
  readonly devices: number;
  /** q: chance of each device to be in a round. */
  readonly sampling: number;
  /** T: rounds that the noise is for; a run may end before. */
  readonly rounds: number;
  /** z: standard deviation of the noise on the sum, over the sensitivity; of a device's own noise where it is local. */
  readonly noiseMultiplier: number;
  readonly account: MechanismAccount;
  /** ε that the planned rounds cost; infinite without noise. */
  readonly planned: number;
  /** δ, without what the constant roster takes of it. */
  readonly accountedDelta: number;
  /** n_fix: devices in every round's roster, those included that only pad it. */
  readonly roster: number;
  /** u_min: a round with fewer survivors is refused; 0 where the noise does not come from them. */
  readonly leastSurvivors: number;
  /** Shares of the noise that are counted on: u_min less those that may be corrupted. */
  readonly countedShares: number;
  /** q · N: what every sum is divided by. */
  readonly denominator: number;
  /** C of the first round. */
  readonly clipNorm: number;
  /** With adaptive clipping: σ_b, the noise on the count of updates within the norm, and r = z / 2σ_b. */
  readonly indicator?: { readonly deviation: number; readonly ratio: number };
  /** With noise that is correlated over rounds: its factor, and how many rounds lie between two of a device. */
  readonly correlated?: { readonly factor: ToeplitzFactor; readonly separation: number };
}

const plans = new WeakMap<RunConfig, PrivacyPlan>();

/** @throws {RangeError} when no noise reaches the target. */
export function privacyPlan(config: RunConfig): PrivacyPlan | undefined {
  const { privacy } = config;
  if (privacy === undefined) return undefined;
  const known = plans.get(config);
  if (known !== undefined) return known;
  const plan = planOf(config, privacy);
  plans.set(config, plan);
  return plan;
}

/** What a target is where none is given. */
const USUAL_EPSILON = 8;

function planOf({ fleet, round }: RunConfig, privacy: PrivacyConfig): PrivacyPlan {
  const { devices } = fleet;
  const sampling = privacy.sampling ?? round.cohort / devices;
  const rounds = privacy.rounds ?? round.count;
  const correlated = correlationOf(privacy, sampling, rounds);
  const account = accountOf(privacy, sampling, rounds, correlated);
  // A roster that is cut where it is full takes a tenth of δ; without sampling there is none.
  const accountedDelta = account.isAmplified ? 0.9 * privacy.delta : privacy.delta;
  const epsilonOf = (z: number) => (z === 0 ? Number.POSITIVE_INFINITY : account.epsilon(z, rounds, accountedDelta));
  const noiseMultiplier = privacy.noiseMultiplier ?? calibratedNoise(epsilonOf, privacy.epsilon ?? USUAL_EPSILON);
  const planned = epsilonOf(noiseMultiplier);
  const denominator = sampling * devices;
  const roster =
    correlated === undefined
      ? constantRoster({
          devices,
          sampling,
          rounds,
          // Without noise any will do: the roster is as long as that of the private run that this one stands beside.
          epsilon: privacy.epsilon ?? (noiseMultiplier === 0 ? USUAL_EPSILON : planned),
          delta: privacy.delta,
          dropout: privacy.dropout,
          leastSurvivors: round.minCohort,
        })
      : Math.ceil(devices / correlated.separation);
  const leastSurvivors = isDistributed(privacy) ? leastSurvivorsOf(roster, privacy.dropout) : 0;
  const { clip } = privacy;
  const deviation = denominator / 20;
  return {
    privacy,
    devices,
    sampling,
    rounds,
    noiseMultiplier,
    account,
    planned,
    accountedDelta,
    roster,
    leastSurvivors,
    countedShares: leastSurvivors - corruptedOf(privacy, roster),
    denominator,
    ...(typeof clip === "number"
      ? { clipNorm: clip }
      : { clipNorm: clip.initial, indicator: { deviation, ratio: noiseMultiplier / (2 * deviation) } }),
    ...(correlated === undefined ? {} : { correlated }),
  };
}

function correlationOf({ mechanism }: PrivacyConfig, sampling: number, rounds: number): PrivacyPlan["correlated"] {
  if (mechanism !== "toeplitz" && mechanism !== "banded") return undefined;
  const separation = Math.max(1, Math.floor(1 / sampling + 1e-9));
  return { factor: correlatedFactor(mechanism, rounds, separation), separation };
}

function accountOf(
  { mechanism, randomness, maxParticipations }: PrivacyConfig,
  sampling: number,
  rounds: number,
  correlated: PrivacyPlan["correlated"],
): MechanismAccount {
  if (correlated !== undefined) return correlatedAccount(correlated.factor, correlated.separation);
  switch (mechanism) {
    case "local":
      return localAccount(maxParticipations ?? rounds);
    case "distributed-gaussian":
    case "distributed-skellam":
      return integerAccount(sampling, "zero-out");
    default:
      // The operating system's noise is whole-numbered, the seed's a rounded Gaussian.
      return randomness === "system" ? integerAccount(sampling, "add-or-remove-one") : centralAccount(sampling);
  }
}

/** A run that is clipped and sampled as a private one, and promises nothing: no noise, no ledger, no ε. */
export function isNoiseless({ noiseMultiplier }: Pick<PrivacyPlan, "noiseMultiplier">): boolean {
  return noiseMultiplier === 0;
}

/** ⌊γ_corrupt · n_fix⌋: devices whose noise is not counted on, because they may tell the coordinator what it was. */
export function corruptedOf({ corrupted }: PrivacyConfig, roster: number): number {
  return Math.floor(corrupted * roster + 1e-9);
}

/** Whether the noise is made of shares that the devices draw. */
export function isDistributed({ mechanism }: PrivacyConfig): boolean {
  return mechanism === "distributed-gaussian" || mechanism === "distributed-skellam";
}
