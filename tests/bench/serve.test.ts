import { readdirSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type CompiledProcess, compileProcess } from "../compiled-process.ts";
import { affordableSockets, descriptorLimit } from "./serve/descriptors.ts";

let benchmark: CompiledProcess;
beforeAll(() => {
  benchmark = compileProcess("tests/bench/serve.ts");
});
afterAll(() => benchmark.remove());

type Running = ReturnType<CompiledProcess["start"]>;

async function ended(child: Running) {
  let output = "";
  child.stdout.on("data", (text: Buffer) => {
    output += text.toString();
  });
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  return { code, output };
}

/** Processes of this benchmark that are alive, itself included. */
function alive(child: Running): number {
  const folder = dirname(child.spawnargs[1]);
  return readdirSync("/proc").filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(folder);
    } catch {
      return false;
    }
  }).length;
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 20));
}

describe("the benchmark of the coordinator on sockets", () => {
  // It counts every byte of a broadcast, and compares each sum with the plain one of all devices; otherwise it fails.
  it("measures everything in its quick form, and prints the document that every benchmark prints", async () => {
    const child = benchmark.start("--quick", "--json");
    const { code, output } = await ended(child);
    expect(code).toBe(0);
    const document = JSON.parse(output);
    expect(document).toEqual({
      benchmark: "serve",
      commit: expect.toSatisfy((commit) => commit === null || /^[0-9a-f]{40}$/.test(commit)),
      machine: { cpu: expect.any(String), cores: expect.any(Number), node: process.version },
      rows: expect.any(Array),
    });
    const compared = (name: string, unit: string, repetitions: number) => ({
      case: name,
      subject: "coordinator",
      baseline: "ws",
      unit,
      subject_median: expect.any(Number),
      baseline_median: expect.any(Number),
      ratio: expect.toSatisfy((ratio) => ratio === null || typeof ratio === "number"),
      repetitions,
    });
    const absolute = (name: string, subject: string, unit: string) => ({
      case: name,
      subject,
      baseline: null,
      unit,
      subject_median: expect.any(Number),
      baseline_median: null,
      ratio: null,
      repetitions: 1,
    });
    expect(document.rows).toEqual([
      compared("broadcast-50", "MB/s", 3),
      compared("broadcast-50-server-cpu", "s CPU", 3),
      compared("broadcast-50-clients-cpu", "s CPU", 3),
      compared("stall-50", "ms", 3),
      absolute("round-n6-d2e3", "coordinator and devices", "s"),
      absolute("round-n6-d2e3-coordinator-cpu", "coordinator", "s CPU"),
      absolute("round-n6-d2e3-devices-cpu", "devices", "s CPU"),
      compared("idle-50", "kB", 1),
    ]);
    expect(alive(child)).toBe(0);
  });

  it("refuses a case that it does not have", async () => {
    expect(await ended(benchmark.start("--quick", "--case", "broadcast-51"))).toEqual({ code: 1, output: "" });
  });

  it("leaves no process behind when it is interrupted, nor when it is killed", async () => {
    for (const [signal, code] of [
      ["SIGINT", 130],
      ["SIGKILL", null],
    ] as const) {
      const child = benchmark.start("--quick", "--case", "broadcast-50");
      const end = ended(child);
      await until(() => alive(child) > 2);
      child.kill(signal);
      expect((await end).code).toBe(code);
      await until(() => alive(child) === 0);
    }
  });

  it("takes fewer sockets where a process may not have as many", () => {
    expect(descriptorLimit()).toBeGreaterThan(100);
    expect(affordableSockets(10_000, 20_000)).toBe(10_000);
    expect(affordableSockets(10_000, Number.POSITIVE_INFINITY)).toBe(10_000);
    expect(affordableSockets(10_000, 4096)).toBe(3_900);
    expect(affordableSockets(10_000, 64)).toBe(0);
  });
});
