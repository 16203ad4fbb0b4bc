import type { CryptoProvider } from "../shared/crypto/provider.ts";
import { type DeviceProcedure, MOST_LOST_ROUNDS } from "../shared/learning/device-procedure.ts";
import type { LocalTraining } from "../shared/learning/local-training.ts";
import { type ParameterVector, parameterBytes } from "../shared/learning/parameters.ts";
import { decodeSum, transformsOf } from "../shared/learning/transforms/index.ts";
import type { FloatSum } from "../shared/learning/transforms/update-transform.ts";
import {
  type Configuration,
  encodeConfiguration,
  encodeModel,
  LARGEST_SENT_MODEL,
  type RoundBinding,
  type RoundDeadlines,
} from "../shared/protocol/control-messages.ts";
import type { DeviceId } from "../shared/protocol/ids.ts";
import { contextHash, type SecAggAgreement } from "../shared/secagg/agreement.ts";
import { createRound, type Round } from "./round.ts";
import type { CertificateCache } from "./secagg/certificate-cache.ts";
import { createPlaintextServer } from "./secagg/plaintext.ts";
import { createServerSecAgg, type ServerSecAgg, type ServerSecAggOptions } from "./secagg/session.ts";

/** What stays the same over all rounds of a run. */
export interface FederatedTask {
  /** The agreement of every round, but for the round and the model. */
  readonly terms: Omit<SecAggAgreement, "roundId" | "modelHash">;
  readonly model: string;
  readonly training: LocalTraining;
  /** What devices do beside training; absent: nothing. */
  readonly procedure?: DeviceProcedure["kind"];
  readonly deadlines: RoundDeadlines;
  /** Updates that a round wants. */
  readonly goal: number;
  readonly closeAt: "all" | "goal";
  /** Present in a simulation: the devices' rounding and batch order then come from it. */
  readonly simulationSeed?: number;
  /** The pinned enrolment authority's key, at `active-server`. */
  readonly authority?: Uint8Array;
  /** Adds the coordinator's noise to a round's unmasked sum, before anything is made of it; absent: it adds none. */
  addNoise?(sum: Int32Array, round: number, devices: SummedDevices): void;
  /** Certificates that were verified in earlier rounds. */
  readonly certificates?: CertificateCache;
}

/** How many devices are in a sum. */
export interface SummedDevices {
  readonly survivors: number;
  /** Those of them that do not only pad the roster. */
  readonly contributors: number;
}

/** What the devices of a round are sent. */
export interface Broadcast {
  /** The model, and whatever else the algorithm sends with it. */
  readonly values: Float32Array;
  /** Rounds that devices may have seen to their end and that were never stored, ascending. */
  readonly lost: readonly number[];
  /** Models that newer ones have replaced and that devices may still answer for, the newest first. */
  readonly earlier?: readonly ParameterVector[];
  /** What this round agrees on in the place of what the task's other rounds do. */
  readonly terms?: Partial<Pick<SecAggAgreement, "transforms" | "clip" | "levels" | "noiseShare">>;
}

export interface OpenRound {
  readonly round: Round;
  /** What every frame of the round carries. */
  readonly binding: RoundBinding;
  /** What its devices are told. */
  readonly configuration: Configuration;
  /** The model's bytes, for devices that fetch it because it is too large to be sent along. */
  readonly model: Uint8Array;
  /**
   * The mean update and the summed metrics, from the round's unmasked sum.
   * @param contributors absent: all survivors
   */
  decode(sum: Int32Array, survivors: number, contributors?: number): FloatSum;
}

export interface OpenRoundOptions {
  /** The key that a device's connection was authenticated with, where there are connections. */
  identityOf?(device: DeviceId): Uint8Array | undefined;
  /** Another coordinator's side of secure aggregation than the protocol's own: a simulation that only counts it. */
  createSecAgg?(options: ServerSecAggOptions): ServerSecAgg;
  /** Called before masks are asked for (see `server/round.ts`). */
  beforeMasks?(): void;
}

/** Opens a round of `task` on what is broadcast, for the devices that were selected. */
export function openRound(
  provider: CryptoProvider,
  task: FederatedTask,
  number: number,
  { values, lost, terms: adapted }: Broadcast,
  invited: readonly DeviceId[],
  nowSeconds: number,
  { identityOf, createSecAgg, beforeMasks }: OpenRoundOptions = {},
): OpenRound {
  const { terms } = task;
  const roundId = encodeRoundId(number);
  const model = parameterBytes(values);
  const agreement: SecAggAgreement = { ...terms, ...adapted, roundId, modelHash: provider.sha256(model) };
  const context = contextHash(provider, agreement);
  const binding = { roundId, context };
  const configuration: Configuration = {
    agreement,
    model: task.model,
    parameters: values.length,
    training: task.training,
    ...(task.procedure === undefined ? {} : { procedure: { kind: task.procedure, lost: lostRoundIds(lost) } }),
    deadlines: task.deadlines,
    ...(task.simulationSeed === undefined ? {} : { simulationSeed: task.simulationSeed }),
  };
  const quorum = Math.max(firstQuorum(terms.floors.minCohort, task.goal), terms.minSurvivors);
  const round = createRound({
    ...binding,
    invited,
    goal: task.goal,
    quorum,
    closeAt: task.closeAt,
    deadlines: task.deadlines,
    configuration: [
      encodeConfiguration(binding, configuration),
      ...(model.length > LARGEST_SENT_MODEL ? [] : [encodeModel(binding, model)]),
    ],
    ...(beforeMasks === undefined ? {} : { beforeMasks }),
    createSecAgg(trained) {
      const create = createSecAgg ?? (terms.mode === "plaintext" ? createPlaintextServer : createServerSecAgg);
      return create({
        provider,
        agreement,
        ...(task.authority === undefined ? {} : { authority: task.authority }),
        ...(task.certificates === undefined ? {} : { certificates: task.certificates }),
        nowSeconds,
        ...(identityOf === undefined ? {} : { identityOf }),
        invited: trained,
        quorum,
      });
    },
  });
  const transforms = transformsOf(agreement);
  return {
    round,
    binding,
    configuration,
    model,
    decode(sum, survivors, contributors = survivors) {
      task.addNoise?.(sum, number, { survivors, contributors });
      return decodeSum(transforms, { kind: "ring", values: sum, survivors }, { round: number });
    },
  };
}

function lostRoundIds(lost: readonly number[]): Uint8Array[] {
  return lost.slice(-MOST_LOST_ROUNDS).map(encodeRoundId);
}

/** The least number with which the first stages may end (`architecture.md`, "A round"). */
export function firstQuorum(minCohort: number, goal: number): number {
  return Math.max(minCohort, Math.ceil(0.8 * goal));
}

/** 16 bytes, big-endian: strictly increasing as the number is. */
export function encodeRoundId(number: number): Uint8Array {
  const roundId = new Uint8Array(16);
  new DataView(roundId.buffer).setBigUint64(8, BigInt(number));
  return roundId;
}
