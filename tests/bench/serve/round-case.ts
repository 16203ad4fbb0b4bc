import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BenchmarkRow, median } from "../report.ts";
import { sharesOf } from "./broadcast-case.ts";
import type { CoordinatorCalls, RoundFigures } from "./coordinator-process.ts";
import type { DeviceProcessCalls } from "./device-process.ts";
import type { StartProcess } from "./processes.ts";
import type { RoundShape } from "./round-terms.ts";

export interface RoundCase extends RoundShape {
  /** Besides the first round, which is not counted. */
  readonly repetitions: number;
  readonly deviceProcesses: number;
}

const HEARTBEAT = 30_000;

/**
 * Whole masked rounds over sockets, from before the CONFIGURE to the unmasked sum: every device invited, every device in
 * the sum, which the coordinator's process compares with the plain one.
 */
export async function measureRound(
  start: StartProcess,
  { devices, dimension, repetitions, deviceProcesses }: RoundCase,
  onProgress: (what: string) => void,
): Promise<BenchmarkRow[]> {
  const folder = mkdtempSync(join(tmpdir(), "murmur-bench-"));
  const name = roundName({ devices, dimension });
  const coordinator = start<CoordinatorCalls>("coordinator-process");
  const shares = sharesOf(devices, deviceProcesses);
  const fleets = shares.map(() => start<DeviceProcessCalls>("device-process"));
  try {
    const { url, token } = await coordinator.ask("open", { folder, devices, dimension, heartbeat: HEARTBEAT });
    await Promise.all(
      fleets.map((fleet, i) => {
        const own = join(folder, `fleet-${i}`);
        mkdirSync(own);
        return fleet.ask("join", { folder: own, url, token, devices: shares[i], cohort: devices });
      }),
    );
    const fleetsCpu = async () => {
      const seconds = await Promise.all(fleets.map((fleet) => fleet.ask("cpuSeconds")));
      return seconds.reduce((sum, one) => sum + one, 0);
    };
    const measured: (RoundFigures & { readonly devicesCpuSeconds: number })[] = [];
    await coordinator.ask("gathered");
    for (let repetition = 0; repetition <= repetitions; repetition++) {
      const before = await fleetsCpu();
      const figures = await coordinator.ask("round", repetition + 1);
      // They have all come back: whatever the round cost them is spent.
      await coordinator.ask("gathered");
      const round = { ...figures, devicesCpuSeconds: (await fleetsCpu()) - before };
      onProgress(`${name} ${repetition}: ${progressLine(round)}`);
      if (repetition > 0) measured.push(round);
    }
    const row = (suffix: string, subject: string, unit: string, values: readonly number[]): BenchmarkRow => ({
      case: `${name}${suffix}`,
      subject,
      baseline: null,
      unit,
      subject_median: median(values),
      baseline_median: null,
      ratio: null,
      repetitions,
    });
    const times = <Key extends "seconds" | "cpuSeconds" | "devicesCpuSeconds">(key: Key) =>
      measured.map((round) => round[key]);
    return [
      row("", "coordinator and devices", "s", times("seconds")),
      row("-coordinator-cpu", "coordinator", "s CPU", times("cpuSeconds")),
      row("-devices-cpu", "devices", "s CPU", times("devicesCpuSeconds")),
    ];
  } finally {
    await Promise.all([coordinator, ...fleets].map((process) => process.end()));
    rmSync(folder, { recursive: true, force: true });
  }
}

/** "round-n100-d2e5" */
export function roundName({ devices, dimension }: RoundShape): string {
  return `round-n${devices}-d${dimension.toExponential().replace("+", "")}`;
}

function progressLine(round: RoundFigures & { readonly devicesCpuSeconds: number }): string {
  const { seconds, cpuSeconds, devicesCpuSeconds, stages } = round;
  const began = stages.map(([stage, at]) => `${stage} ${at.toFixed(3)}`).join(", ");
  return `${seconds.toFixed(3)} s, CPU ${cpuSeconds.toFixed(2)} s and ${devicesCpuSeconds.toFixed(2)} s (${began})`;
}
