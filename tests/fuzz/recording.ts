import type { Round } from "../../server/round.ts";
import type { DeviceId } from "../../shared/protocol/ids.ts";
import { createRepair } from "./repair.ts";
import { playSession } from "./session.ts";
import type { Setting } from "./setting.ts";
import type { Inputs } from "./sum-oracle.ts";
import { createTally } from "./tally.ts";

/** A whole honest round, from which coordinator and devices can be brought to any point of it again. */
export interface Recording {
  readonly setting: Setting;
  /** What the devices answer in each stage, in the order of the stages. */
  readonly stages: readonly RecordedStage[];
  /** What each device is sent, in order. */
  readonly requests: ReadonlyMap<DeviceId, readonly Uint8Array[]>;
  /** All of it. */
  readonly frames: readonly Uint8Array[];
  readonly inputs: Inputs;
  /** See {@link createRepair}. */
  repair(frame: Uint8Array): Uint8Array;
}

export interface RecordedStage {
  readonly stage: Round["stage"];
  readonly answers: ReadonlyMap<DeviceId, readonly Uint8Array[]>;
}

export function recordSession(setting: Setting): Recording {
  const stages: { stage: Round["stage"]; answers: Map<DeviceId, Uint8Array[]> }[] = [];
  const requests = new Map<DeviceId, Uint8Array[]>(setting.devices.map((id) => [id, []]));
  const frames: Uint8Array[] = [];
  const { coordinator, devices } = playSession(setting, createTally(), {
    delivered(direction, device, bytes, stage) {
      const frame = bytes.slice();
      frames.push(frame);
      if (direction === "down") {
        requests.get(device)?.push(frame);
        return;
      }
      if (stages.at(-1)?.stage !== stage) stages.push({ stage, answers: new Map() });
      const answers = stages[stages.length - 1].answers;
      answers.set(device, [...(answers.get(device) ?? []), frame]);
    },
  });
  if (coordinator.stage !== "done") throw new Error(`an honest round is ${coordinator.stage}`);
  return {
    setting,
    stages,
    requests,
    frames,
    repair: createRepair(setting),
    inputs: {
      input: (id) => devices.get(id)?.input,
      upload: (id) => devices.get(id)?.upload,
      masksDiffer: false,
    },
  };
}
