import type { DeviceProcedure } from "../learning/device-procedure.ts";
import type { LocalTraining } from "../learning/local-training.ts";
import { decodeAgreement, encodeAgreement, type SecAggAgreement } from "../secagg/agreement.ts";
import { CHUNK_BYTES } from "./chunks.ts";
import { createWriter } from "./encoding.ts";
import { encodeFrame, FRAME_TYPES, FrameError, type FrameType, NO_INDEX } from "./frame.ts";
import { readBody, readSeed } from "./read-body.ts";
import { ABORT_CODES, type AbortCode } from "./reasons.ts";
import { readProcedure, readTraining, writeProcedure, writeTraining } from "./training-fields.ts";

/**
 * The messages around the exchanges of secure aggregation: they configure a round, carry the model, and end it for a
 * device. `docs/protocol.md` has them byte by byte.
 *
 * | message | direction | body |
 * |---|---|---|
 * | CONFIGURE | to the device | {@link Configuration} |
 * | MODEL | to the device | the model's bytes; one of more than {@link LARGEST_SENT_MODEL} is fetched instead |
 * | ACCEPT, TRAINED | to the coordinator | empty |
 * | BEGIN | to the device | empty |
 * | DECLINE | to the coordinator | code u8 |
 * | RELEASED | to the device | the reason's name |
 */
export interface Configuration {
  readonly agreement: SecAggAgreement;
  /** The model definition's name. */
  readonly model: string;
  /** Length of the vector that is broadcast, MODEL's bytes being four times as many; the update has as many coordinates. */
  readonly parameters: number;
  readonly training: LocalTraining;
  readonly procedure?: DeviceProcedure;
  readonly deadlines: RoundDeadlines;
  /** Declares the round a simulation: rounding and batch order come from this seed. */
  readonly simulationSeed?: number;
}

/** Milliseconds that the coordinator waits in a stage. */
export interface RoundDeadlines {
  readonly configure: number;
  readonly train: number;
  /** Each of the five exchanges. */
  readonly exchange: number;
}

/** What every frame of a round carries. */
export interface RoundBinding {
  /** 16 bytes. */
  readonly roundId: Uint8Array;
  /** ctx, 32 bytes. */
  readonly context: Uint8Array;
}

/** Largest model: 2^28 parameters, a gigabyte. */
const MOST_PARAMETERS = 2 ** 28;

/**
 * A model of up to 1 MiB follows its CONFIGURE; a larger one is fetched by its hash over HTTP, where it can be resumed
 * and cached and goes at the device's own pace (`fleet.md` 5.2).
 */
export const LARGEST_SENT_MODEL = CHUNK_BYTES;

export function encodeConfiguration(binding: RoundBinding, configuration: Configuration): Uint8Array {
  const { training, deadlines, simulationSeed } = configuration;
  const writer = createWriter()
    .bytes(encodeAgreement(configuration.agreement))
    .text(configuration.model)
    .u32(configuration.parameters);
  writeTraining(writer, training);
  writeProcedure(writer, configuration.procedure);
  writer
    .u32(deadlines.configure)
    .u32(deadlines.train)
    .u32(deadlines.exchange)
    .boolean(simulationSeed !== undefined);
  if (simulationSeed !== undefined) writer.f64(simulationSeed);
  return control(binding, FRAME_TYPES.configure, writer.finish());
}

/** @throws {FrameError} */
export function decodeConfiguration(body: Uint8Array): Configuration {
  return readBody(body, (reader) => {
    const agreement = decodeAgreement(reader.bytes());
    const model = reader.text();
    const parameters = reader.u32();
    if (parameters === 0 || parameters > MOST_PARAMETERS) throw new FrameError(`a model of ${parameters} parameters`);
    const training = readTraining(reader);
    const procedure = readProcedure(reader);
    const deadlines = { configure: reader.u32(), train: reader.u32(), exchange: reader.u32() };
    const simulationSeed = reader.boolean() ? readSeed(reader) : undefined;
    return {
      agreement,
      model,
      parameters,
      training,
      ...(procedure === undefined ? {} : { procedure }),
      deadlines,
      ...(simulationSeed === undefined ? {} : { simulationSeed }),
    };
  });
}

/** @throws {RangeError} for a model of more than {@link LARGEST_SENT_MODEL} bytes, which devices fetch. */
export function encodeModel(binding: RoundBinding, model: Uint8Array): Uint8Array {
  if (model.length > LARGEST_SENT_MODEL) throw new RangeError(`a model of ${model.length} bytes is fetched, not sent`);
  return control(binding, FRAME_TYPES.model, model);
}

export function encodeAccept(binding: RoundBinding): Uint8Array {
  return control(binding, FRAME_TYPES.accept, EMPTY);
}

export function encodeTrained(binding: RoundBinding): Uint8Array {
  return control(binding, FRAME_TYPES.trained, EMPTY);
}

export function encodeBegin(binding: RoundBinding): Uint8Array {
  return control(binding, FRAME_TYPES.begin, EMPTY);
}

export function encodeDecline(binding: RoundBinding, code: AbortCode): Uint8Array {
  return control(binding, FRAME_TYPES.decline, Uint8Array.of(ABORT_CODES[code]));
}

/** The code of a DECLINE or ABORT body, or undefined when it is none. */
export function decodeAbortCode(body: Uint8Array): AbortCode | undefined {
  return body.length === 1 ? CODE_NAMES.get(body[0]) : undefined;
}

/** Tells a device that the round goes on without it, or is over: a drop reason or an abandon reason. */
export function encodeReleased(binding: RoundBinding, reason: string): Uint8Array {
  return control(binding, FRAME_TYPES.released, createWriter().text(reason).finish());
}

/** @throws {FrameError} */
export function decodeReleased(body: Uint8Array): string {
  return readBody(body, (reader) => reader.text());
}

const EMPTY = new Uint8Array(0);
const CODE_NAMES: ReadonlyMap<number, AbortCode> = new Map(
  Object.entries(ABORT_CODES).map(([name, code]) => [code, name as AbortCode]),
);

function control({ roundId, context }: RoundBinding, type: FrameType, body: Uint8Array): Uint8Array {
  return encodeFrame({ type, flags: 0, roundId, binding: context, sender: NO_INDEX, sequence: 0 }, body);
}
