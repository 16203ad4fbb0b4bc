import type { DeviceProcedure } from "../device-procedure.ts";
import type { ParameterVector } from "../parameters.ts";
import { scaffoldDevice } from "./scaffold.ts";

/**
 * A device's half of a federated algorithm, around its training: two pure functions over plain data, which may run
 * wherever the training does.
 *
 * ```
 *  broadcast ─┬─ prepare ─► parameters, correction ─► trainer ─► trained ─ finish ─► update ─► transforms, masks, sum
 *  memory ────┘                                                               └────► memory, once the update counts
 * ```
 */
export interface DeviceHalf {
  /** @throws {RangeError} when the broadcast, or what was kept, is not this algorithm's for any model. */
  prepare(received: Received): LocalStart;
  /** May overwrite the trained parameters. */
  finish(received: Received, trained: Trained): LocalFinish;
}

export interface Received {
  /** What the coordinator sent, the same to every device of the round. */
  readonly broadcast: Float32Array;
  /** What this device kept of earlier rounds, if it kept anything. */
  readonly memory?: Float32Array;
}

export interface LocalStart {
  /** Where training begins, one value a parameter. */
  readonly parameters: ParameterVector;
  /** Added to every step's gradient. */
  readonly correction?: ParameterVector;
}

export interface Trained {
  readonly parameters: ParameterVector;
  /** K: steps that were taken. */
  readonly steps: number;
  /** η of every step. */
  readonly learningRate: number;
}

export interface LocalFinish {
  /** As many values as the broadcast. */
  readonly update: Float32Array;
  /** What the device is to keep in the place of its memory if the update is in the round's sum. */
  readonly memory?: Float32Array;
}

/** The half that a round's configuration asks for. */
export function deviceHalf(procedure: DeviceProcedure | undefined): DeviceHalf {
  return procedure === undefined ? differenceDevice : scaffoldDevice;
}

/** Δ = w^k − w: of FedAvg, FedProx and every server optimiser. */
const differenceDevice: DeviceHalf = {
  prepare: ({ broadcast }) => ({ parameters: broadcast }),
  finish({ broadcast }, { parameters }) {
    subtract(parameters, broadcast);
    return { update: parameters };
  },
};

function subtract(from: Float32Array, what: Float32Array): void {
  for (let i = 0; i < from.length; i++) from[i] -= what[i];
}
