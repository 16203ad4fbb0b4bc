import type { Device } from "../../../client/device.ts";
import {
  encodeLocalUpdate,
  type LocalUpdate,
  simulatedBatches,
  simulatedRounding,
} from "../../../client/local-update.ts";
import type { DeviceMemory } from "../../../client/memory.ts";
import type { TrainingResult } from "../../../client/training/trainer.ts";
import type { ServerSecAgg, ServerSecAggOptions } from "../../../server/secagg/session.ts";
import { deviceHalf, type Received } from "../../../shared/learning/algorithms/device-half.ts";
import { transformsOf } from "../../../shared/learning/transforms/index.ts";
import type { Configuration, RoundBinding } from "../../../shared/protocol/control-messages.ts";
import { FRAME_TYPES } from "../../../shared/protocol/frame.ts";
import type { DeviceId } from "../../../shared/protocol/ids.ts";
import { addInto } from "../training/fleet-trainer.ts";
import { type CountedFrames, countedFrames } from "./counted-frames.ts";
import { createCountingDevice } from "./counting-device.ts";
import { createCountingSession } from "./counting-session.ts";
import { messageSizes, noMessages } from "./message-sizes.ts";

/** How much of the cryptography a simulation carries out. */
export type Fidelity = "real" | "accounted" | "off";

export interface CountedRoundOptions {
  /** `off` charges the upload alone, as if it were sent in clear; `accounted` every message of the protocol. */
  readonly fidelity: Exclude<Fidelity, "real">;
  readonly configuration: Configuration;
  readonly binding: RoundBinding;
  readonly broadcast: Float32Array;
  readonly seed: number;
  readonly round: number;
  /** What a device keeps between rounds, where the algorithm has it keep something. */
  memoryOf(device: DeviceId): DeviceMemory;
  /** Whether nobody trains and nothing is kept: only who comes through is of interest. */
  readonly isRehearsal: boolean;
}

/**
 * Both sides of one round of a simulation in which no secret is drawn and no mask is made. Where updates are added up
 * where they are trained, the session's sum is empty: the real one is elsewhere.
 */
export interface CountedRound {
  createSecAgg(options: ServerSecAggOptions): ServerSecAgg;
  device(id: DeviceId): Device;
  bytesOf(frame: Uint8Array): number;
}

/** Whether updates can be added up where they are trained: devices that keep something get their results back. */
export function sumsWhereTrained({ procedure }: Pick<Configuration, "procedure">): boolean {
  return procedure === undefined;
}

export function countedRound(options: CountedRoundOptions): CountedRound {
  const { configuration, binding } = options;
  const { agreement } = configuration;
  const sizes = options.fidelity === "accounted" ? messageSizes(agreement) : noMessages(agreement);
  const frames: CountedFrames = countedFrames(binding);
  const devices = new Map<DeviceId, Device>();
  const updates = new Map<DeviceId, LocalUpdate>();
  const keepsUpdates = !options.isRehearsal && !sumsWhereTrained(configuration);

  function make(id: DeviceId): Device {
    const place = { seed: options.seed, round: options.round, device: id };
    const received: Received = { broadcast: options.broadcast, ...recalled(id) };
    const half = deviceHalf(configuration.procedure);
    const { parameters, correction } = half.prepare(received);
    const { training } = configuration;

    function finish(result: TrainingResult): void {
      const randomness = { rounding: simulatedRounding(place), noise: "elsewhere" } as const;
      const transforms = transformsOf(agreement);
      updates.set(id, encodeLocalUpdate(transforms, half, received, result, training.learningRate, randomness));
    }

    function keep(): void {
      const kept = updates.get(id)?.memory;
      if (kept !== undefined) options.memoryOf(id).keep(agreement.taskId, agreement.roundId, kept);
    }

    return createCountingDevice({
      binding,
      frames,
      first:
        agreement.mode === "plaintext"
          ? { type: FRAME_TYPES.plainUpdate, bytes: sizes.masked }
          : { type: FRAME_TYPES.advertise, bytes: sizes.advertise },
      model: { hash: agreement.modelHash, bytes: 4 * options.broadcast.length },
      request: {
        model: configuration.model,
        parameters,
        task: correction === undefined ? training : { ...training, correction },
        random: simulatedBatches(place),
      },
      ...(keepsUpdates ? { finish, keep } : {}),
    });
  }

  function recalled(id: DeviceId): Pick<Received, "memory"> {
    const { procedure } = configuration;
    if (procedure === undefined) return {};
    const memory = options.memoryOf(id).recall(agreement.taskId, procedure.lost);
    return memory === undefined ? {} : { memory };
  }

  function sum(survivors: readonly DeviceId[]): Int32Array {
    if (!keepsUpdates) return new Int32Array(0);
    const total = new Int32Array(agreement.dimension);
    for (const id of survivors) {
      const update = updates.get(id);
      if (update === undefined) throw new Error(`${id} survived without an update`);
      addInto(total, update.input);
    }
    return total;
  }

  return {
    createSecAgg: (session) => createCountingSession(session, { frames, sizes, sum }),
    device(id) {
      const known = devices.get(id);
      if (known !== undefined) return known;
      const fresh = make(id);
      devices.set(id, fresh);
      return fresh;
    },
    bytesOf: (frame) => frames.read(frame)?.bytes ?? frame.length,
  };
}
