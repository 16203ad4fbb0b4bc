import type { CarriedEffects } from "../../client/connection.ts";
import { type Device, type DeviceEffects, type DevicePhase, roundNumber } from "../../client/device.ts";
import { equalBytes } from "../../shared/crypto/bytes.ts";
import { decodeFrame, FRAME_TYPES, FrameError, type FrameHeader } from "../../shared/protocol/frame.ts";
import { stageAnswered, type Vanishing } from "./dropout-plan.ts";

/** A device that has fallen silent: it is still connected, and hears only whether the round is over. */
interface Absence {
  readonly roundId: Uint8Array;
  readonly phase: DevicePhase;
  /** When it takes the round for over if nobody says so. */
  readonly deadline: number | undefined;
}

const NOTHING: DeviceEffects = { send: [] };

/**
 * A device on a real connection that vanishes as the experiment's seed draws it: in the stage that was drawn it does not
 * send its answer, and either closes the connection or falls silent until the round is over for it.
 */
export function vanishingDevice(device: Device, vanishing: (round: number) => Vanishing | undefined): Device {
  let roundId = new Uint8Array(16);
  let drawn: Vanishing | undefined;
  let absence: Absence | undefined;

  function watch(effects: DeviceEffects): CarriedEffects {
    if (drawn === undefined) return effects;
    const { stage } = drawn;
    const kept = effects.send.findIndex((frame) => stageAnswered(frame) === stage);
    if (kept >= 0) return vanish(drawn, effects.send.slice(0, kept));
    // Who vanishes while it trains has nothing to train for.
    return effects.train !== undefined && stage === "train" ? vanish(drawn, effects.send) : effects;
  }

  function vanish({ silent }: Vanishing, send: readonly Uint8Array[]): CarriedEffects {
    if (silent) absence = { roundId, phase: device.phase, deadline: device.deadline };
    device.disconnected();
    drawn = undefined;
    return silent ? { send } : { send, vanish: true };
  }

  function isBack(reason: string): DeviceEffects {
    absence = undefined;
    return { send: [], outcome: { kind: "released", reason } };
  }

  function hear({ roundId: missed }: Absence, frame: Uint8Array): DeviceEffects {
    const header = headerOf(frame);
    if (header === undefined || !equalBytes(header.roundId, missed)) return NOTHING;
    return header.type === FRAME_TYPES.released || header.type === FRAME_TYPES.done ? isBack("vanished") : NOTHING;
  }

  return {
    get phase() {
      return absence?.phase ?? device.phase;
    },
    get deadline() {
      return absence === undefined ? device.deadline : absence.deadline;
    },
    receive(now, frame) {
      if (absence !== undefined) return hear(absence, frame);
      const header = device.phase === "idle" ? headerOf(frame) : undefined;
      if (header?.type === FRAME_TYPES.configure) {
        roundId = header.roundId.slice();
        drawn = vanishing(roundNumber(roundId));
      }
      return watch(device.receive(now, frame));
    },
    fetched: (now, model) => watch(device.fetched(now, model)),
    fetchFailed: (now) => watch(device.fetchFailed(now)),
    trained: (now, result) => watch(device.trained(now, result)),
    trainingFailed: (now, code) => watch(device.trainingFailed(now, code)),
    tick(now) {
      if (absence === undefined) return watch(device.tick(now));
      return absence.deadline !== undefined && now >= absence.deadline ? isBack("vanished") : NOTHING;
    },
    disconnected: () => (absence === undefined ? device.disconnected() : isBack("disconnected")),
  };
}

function headerOf(frame: Uint8Array): FrameHeader | undefined {
  try {
    return decodeFrame(frame).header;
  } catch (error) {
    if (!(error instanceof FrameError)) throw error;
    return undefined;
  }
}
