import { compareBytes, equalBytes } from "../shared/crypto/bytes.ts";
import type { CryptoProvider } from "../shared/crypto/provider.ts";
import { deviceHalf, type LocalStart, type Received } from "../shared/learning/algorithms/device-half.ts";
import { type ParameterVector, parametersFromBytes } from "../shared/learning/parameters.ts";
import { ringDimension, transformsOf } from "../shared/learning/transforms/index.ts";
import type { UpdateTransform } from "../shared/learning/transforms/update-transform.ts";
import { systemWords } from "../shared/privacy/noise/noise-words.ts";
import { UPLOADS_AT_ONCE } from "../shared/protocol/chunks.ts";
import {
  type Configuration,
  decodeConfiguration,
  decodeReleased,
  encodeAccept,
  encodeDecline,
  encodeTrained,
  LARGEST_SENT_MODEL,
} from "../shared/protocol/control-messages.ts";
import { decodeFrame, FRAME_TYPES, FrameError } from "../shared/protocol/frame.ts";
import type { AbortCode } from "../shared/protocol/reasons.ts";
import { type SeededRandom, seededRandom } from "../shared/random/seeded-random.ts";
import type { SecAggAgreement } from "../shared/secagg/agreement.ts";
import { contextHash } from "../shared/secagg/agreement.ts";
import { NonFiniteUpdateError, secureRounding } from "../shared/secagg/quantise.ts";
import { MetricRangeError } from "../shared/secagg/slots.ts";
import { type DeviceJournal, uploadJournal } from "./journal.ts";
import {
  type EncodingRandomness,
  encodeLocalUpdate,
  type LocalUpdate,
  type SimulatedPlace,
  simulatedBatches,
  simulatedNoise,
  simulatedRounding,
} from "./local-update.ts";
import type { DeviceMemory } from "./memory.ts";
import { DeviceAbort } from "./secagg/device-abort.ts";
import { createPlaintextClient } from "./secagg/plaintext.ts";
import { checkAgreement, type DevicePolicy } from "./secagg/policy.ts";
import { type ClientSecAgg, createClientSecAgg, type DeviceIdentity } from "./secagg/session.ts";
import type { TrainingResult, TrainingTask } from "./training/trainer.ts";

/**
 * One device, without I/O: a frame, a finished training or the time goes in; frames, a request to train and the next
 * deadline come out.
 *
 * ```
 *  idle ─CONFIGURE─► receiving, or fetching ─model─► training ─► trained ─BEGIN─► exchanging ─DONE─► idle
 *    └──── declined, aborted or released: the round's keys and model are gone, and the device is idle again ────┘
 * ```
 */
export interface Device {
  readonly phase: DevicePhase;
  /** When `tick` is due, in the caller's milliseconds. */
  readonly deadline: number | undefined;
  receive(now: number, frame: Uint8Array): DeviceEffects;
  /** The model that was asked for has arrived: its bytes, as they came. */
  fetched(now: number, model: Uint8Array): DeviceEffects;
  fetchFailed(now: number): DeviceEffects;
  /** The training that was asked for is finished. */
  trained(now: number, result: TrainingResult): DeviceEffects;
  trainingFailed(now: number, code?: Extract<AbortCode, "training-failed" | "non-finite-update">): DeviceEffects;
  /** Gives up a round whose deadline has passed. */
  tick(now: number): DeviceEffects;
  /** The connection is gone: forgets the round. */
  disconnected(): DeviceEffects;
}

export type DevicePhase = "idle" | "receiving" | "fetching" | "training" | "trained" | "exchanging";

export interface DeviceOptions {
  /** The device's own name: it names its streams in a simulation. */
  readonly name: string;
  readonly provider: CryptoProvider;
  readonly identity: DeviceIdentity;
  /** The pinned enrolment authority's Ed25519 key: with it the device takes part at `active-server` only. */
  readonly authority?: Uint8Array;
  readonly policy: DevicePolicy;
  /** Accepts rounds that are declared a simulation: rounding and batch order then come from the task's seed. */
  readonly acceptsSimulation: boolean;
  readonly maxRoundsPerDay: number;
  readonly journal: DeviceJournal;
  /** What it keeps between rounds; without it the device takes part in no round that needs it. */
  readonly memory?: DeviceMemory;
  /** Sees the ring vector before it is masked. For a simulation's oracle, where one process owns every device. */
  readonly observeInput?: (roundId: Uint8Array, input: Int32Array) => void;
}

export interface DeviceEffects {
  readonly send: readonly Uint8Array[];
  /** Fetch the model with this hash, 32 bytes, of so many bytes; answer with `fetched` or `fetchFailed`. */
  readonly fetch?: { readonly hash: Uint8Array; readonly bytes: number };
  /** Start training; answer with `trained` or `trainingFailed`. */
  readonly train?: TrainingRequest;
  /** How the round ended for this device. */
  readonly outcome?: DeviceOutcome;
}

export interface TrainingRequest {
  readonly model: string;
  readonly parameters: ParameterVector;
  readonly task: TrainingTask;
  readonly random: SeededRandom;
}

export type DeviceOutcome =
  | { readonly kind: "done"; readonly survivors: number }
  | { readonly kind: "declined" | "aborted"; readonly code: AbortCode; readonly detail: string }
  | { readonly kind: "released"; readonly reason: string };

interface RoundContext {
  readonly configuration: Configuration;
  readonly context: Uint8Array;
  readonly roundId: Uint8Array;
}

type State =
  | { readonly kind: "idle" }
  | { readonly kind: "receiving"; readonly round: RoundContext }
  | { readonly kind: "fetching"; readonly round: RoundContext }
  | { readonly kind: "training"; readonly round: RoundContext; readonly received: Received }
  | { readonly kind: "trained"; readonly round: RoundContext; readonly update: LocalUpdate }
  | {
      readonly kind: "exchanging";
      readonly round: RoundContext;
      readonly session: ClientSecAgg;
      /** What is kept once the update is in the round's sum. */
      readonly memory: Float32Array | undefined;
    };

type ExchangingState = Extract<State, { kind: "exchanging" }>;

const NOTHING: DeviceEffects = { send: [] };
const DAY_MS = 86_400_000;
/** A device waits for the slowest of the others, who has the coordinator's whole deadline, and then some. */
const PATIENCE = 2;

export function createDevice(options: DeviceOptions): Device {
  const { provider, journal } = options;
  let state: State = { kind: "idle" };
  let deadline: number | undefined;

  function decline(round: Pick<RoundContext, "roundId" | "context">, code: AbortCode, detail: string): DeviceEffects {
    state = { kind: "idle" };
    deadline = undefined;
    return { send: [encodeDecline(round, code)], outcome: { kind: "declined", code, detail } };
  }

  /**
   * Why this device would rather not take part, before anything is signed.
   * @throws {DeviceAbort}
   */
  function object(now: number, { agreement, parameters, procedure, simulationSeed }: Configuration): void {
    checkAgreement(agreement, options.policy, options.authority !== undefined);
    if (agreedDimension(agreement, parameters) !== agreement.dimension) {
      throw new DeviceAbort("malformed-message", "not one coordinate for each parameter and each metric");
    }
    if (procedure !== undefined && options.memory === undefined) {
      throw new DeviceAbort("policy", "this device keeps nothing between rounds");
    }
    if (simulationSeed !== undefined && !options.acceptsSimulation) {
      throw new DeviceAbort("policy", "this device does not take part in simulations");
    }
    const latest = journal.latestRound(agreement.taskId);
    if (latest !== undefined && compareBytes(agreement.roundId, latest) <= 0) {
      throw new DeviceAbort("replayed-round", "an upload for this round or a later one has left already");
    }
    if (options.authority !== undefined && journal.hasUploaded(agreement.modelHash)) {
      throw new DeviceAbort("already-uploaded", "an upload for this model has left already");
    }
    if (journal.uploadsSince(now - DAY_MS) >= options.maxRoundsPerDay) {
      throw new DeviceAbort("policy", `more than ${options.maxRoundsPerDay} rounds in a day`);
    }
  }

  function configure(now: number, roundId: Uint8Array, binding: Uint8Array, body: Uint8Array): DeviceEffects {
    let configuration: Configuration;
    try {
      configuration = decodeConfiguration(body);
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      return decline({ roundId, context: binding }, "malformed-message", error.message);
    }
    const context = contextHash(provider, configuration.agreement);
    if (!equalBytes(context, binding) || !equalBytes(configuration.agreement.roundId, roundId)) {
      return decline({ roundId, context: binding }, "context-mismatch", "the frame is not bound to its own agreement");
    }
    const round: RoundContext = { configuration, context, roundId: configuration.agreement.roundId };
    try {
      object(now, configuration);
      transformsOf(configuration.agreement);
    } catch (error) {
      if (error instanceof DeviceAbort) return decline(round, error.code, error.message);
      if (error instanceof RangeError) return decline(round, "policy", error.message);
      throw error;
    }
    const bytes = 4 * configuration.parameters;
    deadline = now + PATIENCE * configuration.deadlines.configure;
    if (bytes > LARGEST_SENT_MODEL) {
      state = { kind: "fetching", round };
      return { send: [], fetch: { hash: configuration.agreement.modelHash, bytes } };
    }
    state = { kind: "receiving", round };
    return NOTHING;
  }

  function startTraining(now: number, round: RoundContext, model: Uint8Array): DeviceEffects {
    const { agreement, model: name, training, procedure, deadlines, simulationSeed } = round.configuration;
    if (
      model.length !== 4 * round.configuration.parameters ||
      !equalBytes(provider.sha256(model), agreement.modelHash)
    ) {
      return decline(round, "model-mismatch", "the model is not the one whose hash was agreed");
    }
    const received = { broadcast: parametersFromBytes(model), ...recall(round) };
    let start: LocalStart;
    try {
      start = deviceHalf(procedure).prepare(received);
    } catch (error) {
      if (error instanceof RangeError) return decline(round, "malformed-message", error.message);
      throw error;
    }
    const { parameters, correction } = start;
    state = { kind: "training", round, received };
    deadline = now + PATIENCE * deadlines.train;
    const random =
      simulationSeed === undefined
        ? seededRandom(seedFromSystem(provider), "batches")
        : simulatedBatches(placeOf(simulationSeed, round));
    return {
      send: [encodeAccept(round)],
      train: {
        model: name,
        parameters,
        task: correction === undefined ? training : { ...training, correction },
        random,
      },
    };
  }

  /** What was kept of the rounds that this one builds on. */
  function recall({ configuration: { agreement, procedure } }: RoundContext): Pick<Received, "memory"> {
    if (procedure === undefined) return {};
    const memory = options.memory?.recall(agreement.taskId, procedure.lost);
    return memory === undefined ? {} : { memory };
  }

  function placeOf(seed: number, round: RoundContext): SimulatedPlace {
    return { seed, round: roundNumber(round.roundId), device: options.name };
  }

  function encode(round: RoundContext, received: Received, result: TrainingResult): LocalUpdate {
    const { agreement, procedure, training, simulationSeed } = round.configuration;
    const transforms = transformsOf(agreement);
    const randomness =
      simulationSeed === undefined ? ownRandomness() : seededRandomness(placeOf(simulationSeed, round));
    return encodeLocalUpdate(transforms, deviceHalf(procedure), received, result, training.learningRate, randomness);
  }

  /** Nobody else knows any of it. */
  function ownRandomness(): EncodingRandomness {
    return { rounding: secureRounding(provider), noise: systemWords(provider.random) };
  }

  function seededRandomness(place: SimulatedPlace): EncodingRandomness {
    return { rounding: simulatedRounding(place), noise: simulatedNoise(place) };
  }

  function begin(now: number, trained: Extract<State, { kind: "trained" }>): DeviceEffects {
    const { round, update } = trained;
    const { agreement, deadlines } = round.configuration;
    const create = agreement.mode === "plaintext" ? createPlaintextClient : createClientSecAgg;
    const session = create({
      provider,
      agreement,
      identity: options.identity,
      ...(options.authority === undefined ? {} : { authority: options.authority }),
      policy: options.policy,
      input: update.input,
      journal: uploadJournal(journal, now),
      nowSeconds: Math.floor(now / 1000),
    });
    const exchanging = { kind: "exchanging", round, session, memory: update.memory } as const;
    state = exchanging;
    deadline = now + PATIENCE * deadlines.exchange;
    return finishExchange(exchanging, session.start());
  }

  function exchange(now: number, exchanging: ExchangingState, frame: Uint8Array): DeviceEffects {
    const { session, round } = exchanging;
    const send = session.receive(frame);
    const { agreement, deadlines } = round.configuration;
    // Uploads take turns: until the last device has had its own, this one waits.
    const turns = session.phase === "masked" ? Math.ceil(agreement.maxCohort / UPLOADS_AT_ONCE) : 1;
    deadline = now + PATIENCE * turns * deadlines.exchange;
    return finishExchange(exchanging, send);
  }

  function finishExchange({ round, session, memory }: ExchangingState, send: readonly Uint8Array[]): DeviceEffects {
    const { outcome } = session;
    if (outcome === undefined) return { send };
    state = { kind: "idle" };
    deadline = undefined;
    // Only now is it certain that the update is in a sum; what anything else leaves behind is as it was.
    if (outcome.kind === "done" && memory !== undefined) {
      options.memory?.keep(round.configuration.agreement.taskId, round.roundId, memory);
    }
    if (outcome.kind === "done") return { send, outcome: { kind: "done", survivors: outcome.survivors } };
    return { send, outcome: { kind: "aborted", code: outcome.code, detail: outcome.detail } };
  }

  /** Ends the round without a word to the coordinator: it knows, or cannot be reached. */
  function forget(reason: string): DeviceEffects {
    if (state.kind === "exchanging") state.session.abort("stopped");
    state = { kind: "idle" };
    deadline = undefined;
    return { send: [], outcome: { kind: "released", reason } };
  }

  function breach(code: AbortCode, detail: string): DeviceEffects {
    if (state.kind === "exchanging") return finishExchange(state, state.session.abort(code));
    if (state.kind === "idle") return NOTHING;
    return decline(state.round, code, detail);
  }

  function receive(now: number, frame: Uint8Array): DeviceEffects {
    const { header, body } = decodeFrame(frame);
    if (header.type === FRAME_TYPES.configure) {
      if (state.kind !== "idle") return breach("unexpected-message", "a second configuration during a round");
      return configure(now, header.roundId, header.binding, body);
    }
    // Whatever belongs to a round that this device is no longer in, it does not read.
    if (state.kind === "idle" || !equalBytes(header.roundId, state.round.roundId)) return NOTHING;
    if (header.type === FRAME_TYPES.released) return forget(decodeReleased(body));
    if (state.kind === "exchanging") return exchange(now, state, frame);
    if (!equalBytes(header.binding, state.round.context))
      return breach("context-mismatch", "a frame of another agreement");
    if (state.kind === "receiving" && header.type === FRAME_TYPES.model) return startTraining(now, state.round, body);
    if (state.kind === "trained" && header.type === FRAME_TYPES.begin) return begin(now, state);
    return breach("unexpected-message", `message type ${header.type} while ${state.kind}`);
  }

  return {
    get phase() {
      return state.kind;
    },
    get deadline() {
      return deadline;
    },
    receive(now, frame) {
      try {
        return receive(now, frame);
      } catch (error) {
        if (!(error instanceof FrameError)) throw error;
        return breach("malformed-message", error.message);
      }
    },
    fetched(now, model) {
      return state.kind === "fetching" ? startTraining(now, state.round, model) : NOTHING;
    },
    fetchFailed(_now) {
      if (state.kind !== "fetching") return NOTHING;
      return decline(state.round, "model-unavailable", "the model could not be fetched");
    },
    trained(now, result) {
      if (state.kind !== "training") return NOTHING;
      const { round, received } = state;
      try {
        const update = encode(round, received, result);
        options.observeInput?.(round.roundId, update.input);
        state = { kind: "trained", round, update };
      } catch (error) {
        if (error instanceof NonFiniteUpdateError) return decline(round, "non-finite-update", error.message);
        if (error instanceof MetricRangeError) return decline(round, "training-failed", error.message);
        throw error;
      }
      deadline = now + PATIENCE * (round.configuration.deadlines.train + round.configuration.deadlines.configure);
      return { send: [encodeTrained(round)] };
    },
    trainingFailed(_now, code = "training-failed") {
      if (state.kind !== "training") return NOTHING;
      return decline(state.round, code, "the engine could not train the model");
    },
    tick(now) {
      if (deadline === undefined || now < deadline) return NOTHING;
      return breach("deadline", "the coordinator did not go on in time");
    },
    disconnected() {
      return state.kind === "idle" ? NOTHING : forget("disconnected");
    },
  };
}

/**
 * d, as the agreed transforms have it.
 * @throws {DeviceAbort} where this device knows no such transforms, or they do not take what comes before them
 */
function agreedDimension(agreement: SecAggAgreement, parameters: number): number {
  const refuse = (code: "policy" | "malformed-message", error: unknown): never => {
    if (error instanceof RangeError) throw new DeviceAbort(code, error.message);
    throw error;
  };
  let transforms: readonly UpdateTransform[];
  try {
    transforms = transformsOf(agreement);
  } catch (error) {
    return refuse("policy", error);
  }
  try {
    return ringDimension(transforms, parameters, agreement.slots);
  } catch (error) {
    return refuse("malformed-message", error);
  }
}

/** The round's number within its task: the low 53 bits of its id. */
export function roundNumber(roundId: Uint8Array): number {
  const view = new DataView(roundId.buffer, roundId.byteOffset, roundId.byteLength);
  return Number(BigInt.asUintN(53, view.getBigUint64(8)));
}

function seedFromSystem(provider: CryptoProvider): string {
  return Array.from(provider.random.bytes(16), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
