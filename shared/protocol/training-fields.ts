import { compareBytes } from "../crypto/bytes.ts";
import { type DeviceProcedure, MOST_LOST_ROUNDS } from "../learning/device-procedure.ts";
import type { LocalOptimizer, LocalTraining } from "../learning/local-training.ts";
import type { Reader, Writer } from "./encoding.ts";
import { FrameError } from "./frame.ts";

/**
 * What a device is asked to do, as it stands in CONFIGURE (`docs/protocol.md` 3.1): `u32` epochs ‖ `u32` batch size ‖
 * `f64` learning rate ‖ optimiser ‖ `f64` weight decay ‖ `f64` gradient clip ‖ `f64` proximal μ. Of the last three 0 is
 * "none", and the only way to write it.
 */
export function writeTraining(writer: Writer, training: LocalTraining): void {
  writer.u32(training.epochs).u32(training.batchSize).f64(training.learningRate);
  writeOptimizer(writer, training.optimizer);
  writer
    .f64(training.weightDecay ?? 0)
    .f64(training.gradientClip ?? 0)
    .f64(training.proximalMu ?? 0);
}

/** @throws {FrameError} for a task that cannot be trained. */
export function readTraining(reader: Reader): LocalTraining {
  const epochs = reader.u32();
  const batchSize = reader.u32();
  if (epochs === 0 || batchSize === 0) throw new FrameError("a task without a step of training");
  const learningRate = reader.f64();
  if (!(learningRate > 0)) throw new FrameError(`a learning rate of ${learningRate}`);
  const optimizer = readOptimizer(reader);
  const weightDecay = readOptional(reader, "weight decay");
  const gradientClip = readOptional(reader, "gradient clip");
  const proximalMu = readOptional(reader, "proximal term");
  return {
    epochs,
    batchSize,
    learningRate,
    ...(optimizer === undefined ? {} : { optimizer }),
    ...(weightDecay === undefined ? {} : { weightDecay }),
    ...(gradientClip === undefined ? {} : { gradientClip }),
    ...(proximalMu === undefined ? {} : { proximalMu }),
  };
}

const SGD = 0;
const MOMENTUM = 1;
const ADAM = 2;

function writeOptimizer(writer: Writer, optimizer: LocalOptimizer | undefined): void {
  switch (optimizer?.kind) {
    case undefined:
      writer.u8(SGD);
      return;
    case "momentum":
      writer.u8(MOMENTUM).f64(optimizer.momentum).boolean(optimizer.nesterov);
      return;
    case "adam":
      writer.u8(ADAM).f64(optimizer.beta1).f64(optimizer.beta2).f64(optimizer.epsilon);
      return;
  }
}

function readOptimizer(reader: Reader): LocalOptimizer | undefined {
  const kind = reader.u8();
  switch (kind) {
    case SGD:
      return undefined;
    case MOMENTUM:
      return { kind: "momentum", momentum: readDecay(reader, "momentum"), nesterov: reader.boolean() };
    case ADAM: {
      const beta1 = readDecay(reader, "beta1");
      const beta2 = readDecay(reader, "beta2");
      const epsilon = reader.f64();
      if (!(epsilon > 0)) throw new FrameError(`an epsilon of ${epsilon}`);
      return { kind: "adam", beta1, beta2, epsilon };
    }
    default:
      throw new FrameError(`there is no optimiser ${kind}`);
  }
}

/** How much of the past is kept: 0 ≤ β < 1. */
function readDecay(reader: Reader, name: string): number {
  const value = reader.f64();
  if (!(value >= 0 && value < 1)) throw new FrameError(`${name} of ${value}`);
  return value;
}

function readOptional(reader: Reader, name: string): number | undefined {
  const value = reader.f64();
  if (value < 0) throw new FrameError(`a ${name} of ${value}`);
  return value === 0 ? undefined : value;
}

const DELTA = 0;
const SCAFFOLD = 1;

/** `u8` procedure: 0 the difference alone, 1 SCAFFOLD, and with that `list([16])` the lost rounds, ascending. */
export function writeProcedure(writer: Writer, procedure: DeviceProcedure | undefined): void {
  if (procedure === undefined) writer.u8(DELTA);
  else writer.u8(SCAFFOLD).list(procedure.lost, (item, roundId) => item.fixed(roundId, 16));
}

/** @throws {FrameError} */
export function readProcedure(reader: Reader): DeviceProcedure | undefined {
  const kind = reader.u8();
  if (kind === DELTA) return undefined;
  if (kind !== SCAFFOLD) throw new FrameError(`there is no procedure ${kind}`);
  const lost = reader.list(MOST_LOST_ROUNDS, (item) => item.fixed(16));
  if (lost.some((roundId, i) => i > 0 && compareBytes(lost[i - 1], roundId) >= 0)) {
    throw new FrameError("lost rounds that do not ascend");
  }
  return { kind: "scaffold", lost };
}
