import { join } from "node:path";
import { machineTime } from "../../../cli/machine-time.ts";
import { type Agent, startAgent } from "../../../client/agent.ts";
import { secureUniform } from "../../../client/back-off.ts";
import { createDevice } from "../../../client/device.ts";
import { DEFAULT_POLICY } from "../../../client/secagg/policy.ts";
import { openDeviceFolder } from "../../../client/storage/device-folder.ts";
import { downloadModel, enrolDevices } from "../../../client/transport/http.ts";
import { shareDownloads } from "../../../client/transport/shared-downloads.ts";
import { webSocketDial } from "../../../client/transport/websocket.ts";
import { cryptoProvider } from "../../../shared/crypto/node-provider.ts";
import { rememberVerifications } from "../../../shared/crypto/remembering-verifier.ts";
import { steadyClock } from "../../../shared/time/steady-clock.ts";
import { answerParent } from "./answers.ts";
import { cpuSeconds } from "./measuring.ts";
import { minHonest, STUB_METRICS, stubUpdate } from "./round-terms.ts";

// Devices as `murmur join` runs them, keys and memory of uploads on the disk, but for the training: it returns at once.
export interface DeviceSetting {
  /** Empty. */
  readonly folder: string;
  readonly url: string;
  readonly token: string;
  /** Devices of this process, and of the round. */
  readonly devices: number;
  readonly cohort: number;
}

/** As in `joinFleet`. */
const REMEMBERED_CHECKS = 16_384;

const updates = new Map<number, Float32Array>();

/** A fresh vector, as a trainer gives it, without the time that making it up takes. */
function learnt(parameters: number, index: number): Float32Array {
  const update = updates.get(index) ?? stubUpdate(parameters, index);
  updates.set(index, update);
  return update.slice();
}

const calls = {
  async join({ folder, url, token, devices, cohort }: DeviceSetting): Promise<void> {
    const origin = new URL(url);
    const provider = rememberVerifications(cryptoProvider, REMEMBERED_CHECKS);
    const uniform = secureUniform(provider.random);
    const world = { origin, software: "bench", clock: steadyClock(machineTime), provider };
    const stored = openDeviceFolder(join(folder, "devices"), devices, provider);
    await enrolDevices(
      world,
      origin.host,
      token,
      stored.devices.map(({ key }) => key),
    );
    for (const { key, journal } of stored.devices) {
      const agent: Agent = startAgent({
        provider,
        identity: key,
        audience: origin.host,
        software: world.software,
        dial: webSocketDial(world),
        clock: steadyClock(machineTime),
        uniform,
        fetchModel: shareDownloads((hash, bytes) => downloadModel(world, hash, bytes)),
        train: async ({ parameters }, { simulation }) => ({
          parameters: learnt(parameters.length, simulation?.index ?? 0),
          ...STUB_METRICS,
        }),
        device: ({ device }) =>
          createDevice({
            name: device,
            provider,
            identity: key,
            policy: {
              ...DEFAULT_POLICY,
              minCohort: Math.min(DEFAULT_POLICY.minCohort, cohort),
              minHonest: minHonest(cohort),
            },
            acceptsSimulation: false,
            maxRoundsPerDay: 1000,
            journal,
          }),
        report(progress) {
          if (progress.kind === "trouble") throw progress.error;
          if (progress.kind === "away") throw new Error(`a device left: ${progress.reason}`);
        },
      });
      void agent.ended.then((outcome) => {
        throw new Error(`a device ended: ${outcome.kind}`);
      });
    }
  },
  cpuSeconds: (): number => cpuSeconds(),
};

export type DeviceProcessCalls = typeof calls;
answerParent(calls);
