import { rmSync } from "node:fs";
import { join } from "node:path";
import { machineTime } from "../../../cli/machine-time.ts";
import { type Coordinator, openCoordinator } from "../../../server/coordinator.ts";
import { openRunStore } from "../../../server/store/run-store.ts";
import { cryptoProvider } from "../../../shared/crypto/node-provider.ts";
import { encodeModel } from "../../../shared/protocol/control-messages.ts";
import { HEADER_BYTES } from "../../../shared/protocol/frame.ts";
import type { DeviceId } from "../../../shared/protocol/ids.ts";
import type { Stage } from "../../../shared/protocol/reasons.ts";
import { seededRandom } from "../../../shared/random/seeded-random.ts";
import { createStopSwitch } from "../../../shared/time/stop-signal.ts";
import { answerParent } from "./answers.ts";
import { type BroadcastFigures, broadcastMeter, cpuSeconds, residentBytes } from "./measuring.ts";
import { benchTask, expectedSum, parameterCount, type RoundShape } from "./round-terms.ts";

// The subject: the coordinator as `murmur serve` opens it, its store in a folder of its own.
export interface CoordinatorSetting extends RoundShape {
  /** Empty. */
  readonly folder: string;
  /** Milliseconds. */
  readonly heartbeat: number;
}

export interface RoundFigures {
  /** From before the first message to the unmasked sum. */
  readonly seconds: number;
  readonly cpuSeconds: number;
  /** Seconds since the start at which each stage began. */
  readonly stages: readonly (readonly [Stage, number])[];
}

interface Opened {
  readonly coordinator: Coordinator;
  readonly task: ReturnType<typeof benchTask>;
  /** Everyone who waited when the first broadcast began. */
  audience: readonly DeviceId[] | undefined;
}

const stop = createStopSwitch();
const meter = broadcastMeter();
/** Nobody is to be turned away for coming in a crowd. */
const UNLIMITED = 1_000_000;
let opened: Opened | undefined;
let expected: Int32Array | undefined;
let endWait: () => void = () => {};
let endBroadcast: () => void = () => {};

function here(): Opened {
  if (opened === undefined) throw new Error("not open yet");
  return opened;
}

const calls = {
  async open({ folder, devices, dimension, heartbeat }: CoordinatorSetting): Promise<{ url: string; token: string }> {
    const task = benchTask({ devices, dimension });
    const coordinator = await openCoordinator({
      run: "bench",
      version: "0.0.0",
      provider: cryptoProvider,
      time: machineTime,
      defer: (work) => void setImmediate(work),
      store: openRunStore(join(folder, "run"), { mode: "create" }),
      task,
      dealt: { seed: 1, dataset: "none", partition: "iid", devices, dropout: 0 },
      invited: devices,
      rounds: 1000,
      selection: (round) => seededRandom(1, "selection", round),
      network: {
        host: "127.0.0.1",
        port: 0,
        names: [],
        proxies: [],
        mostConnections: devices + 16,
        rateLimits: { requestsPerMinute: UNLIMITED, connectionsPerMinute: UNLIMITED },
      },
      timing: { selection: 30_000, every: 0, heartbeat, stall: 30_000 },
      stop: () => {},
      onClockLeap: () => {},
    });
    const { token } = coordinator.registry.createToken({
      scope: "enrol",
      count: devices,
      expiresAt: machineTime.wall() + 3_600_000,
    });
    // The parent deletes it, unless the parent is killed.
    process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
    opened = { coordinator, task, audience: undefined };
    return { url: coordinator.url, token };
  },
  /** Resolves once so many devices have checked in, and nobody else is there. */
  connected(count: number): Promise<void> {
    const { hub } = here().coordinator;
    return new Promise((resolve) => {
      const look = () => {
        if (hub.waitingCount !== count || hub.sockets !== count) return;
        endWait();
        resolve();
      };
      endWait = hub.onChange(look);
      look();
    });
  },
  /** One MODEL frame of so many bytes, to everyone: as a round does it. */
  async broadcast(bytes: number): Promise<void> {
    const state = here();
    const { hub } = state.coordinator;
    state.audience ??= hub.waiting().map(({ device }) => device);
    const devices = state.audience;
    const binding = { roundId: new Uint8Array(16), context: new Uint8Array(32) };
    const frame = encodeModel(binding, new Uint8Array(bytes - HEADER_BYTES));
    const links = hub.occupy(devices, { frame() {}, gone() {} });
    await meter.begin(() => {
      for (const device of devices) links.send(device, frame);
    });
    endBroadcast = links.release;
  },
  figures(): BroadcastFigures {
    const figures = meter.end();
    endBroadcast();
    return figures;
  },
  residentBytes: (): number => residentBytes(),
  /** Waits until every device has checked in for the next round. */
  async gathered(): Promise<void> {
    const { coordinator, task } = here();
    const broadcast = { values: new Float32Array(parameterCount(task)), lost: [] };
    const outcome = await coordinator.host.gather(broadcast, { stop, onPresence() {} });
    const { waitingCount } = coordinator.hub;
    if (outcome !== "ready" || waitingCount < task.goal) {
      throw new Error(`${waitingCount} devices of ${task.goal} came for the round`);
    }
  },
  async round(number: number): Promise<RoundFigures> {
    const { coordinator, task } = here();
    expected ??= expectedSum(task);
    const broadcast = { values: new Float32Array(parameterCount(task)), lost: [] };
    const stages: [Stage, number][] = [];
    const losses: string[] = [];
    const cpuBefore = cpuSeconds();
    const startedAt = performance.now();
    const since = () => (performance.now() - startedAt) / 1000;
    const { opened: round } = await coordinator.host.play(number, broadcast, {
      stop,
      onSelected() {},
      onFacts(facts) {
        for (const fact of facts) {
          if (fact.kind === "stage") stages.push([fact.stage, since()]);
          if (fact.kind === "lost") losses.push(`${fact.device}: ${fact.reason} in ${fact.stage} ${fact.detail ?? ""}`);
        }
      },
    });
    const figures = { seconds: since(), cpuSeconds: cpuSeconds() - cpuBefore, stages };
    const { result, abandoned } = round.round;
    if (result === undefined)
      throw new Error(`round ${number} was abandoned: ${abandoned?.detail}; ${losses.join("; ")}`);
    if (result.survivors.length !== task.goal) {
      throw new Error(`${result.survivors.length} devices of ${task.goal} are in the sum; ${losses.join("; ")}`);
    }
    const plain = expected;
    if (!result.sum.every((word, i) => word === plain[i])) {
      throw new Error("the unmasked sum is not the plain sum of what the devices learnt");
    }
    return figures;
  },
};

export type CoordinatorCalls = typeof calls;
answerParent(calls);
