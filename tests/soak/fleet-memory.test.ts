import { execFile } from "node:child_process";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { beforeAll, describe, expect, it } from "vitest";
import { BINARY, ensureBuilt } from "../cli/built-binary.ts";
import { type MemorySample, memoryGrowth } from "./memory-growth.ts";

const PROGRAM = join(dirname(BINARY), "..", "tests", "soak", "fleet-memory.js");
const ROUNDS = 500;

async function simulate(workers: number): Promise<MemorySample[]> {
  const args = ["--expose-gc", PROGRAM, "--rounds", String(ROUNDS), "--workers", String(workers)];
  return JSON.parse((await promisify(execFile)(process.execPath, args)).stdout);
}

describe(`memory over ${ROUNDS} rounds of a simulation`, { timeout: 300_000 }, () => {
  beforeAll(ensureBuilt);

  it("is flat in one thread: tensors, sessions, objects, pages", async () => {
    const samples = await simulate(0);
    expect(samples).toHaveLength(ROUNDS / 10);
    expect(samples[0].sessions).toBeGreaterThan(0);
    expect(memoryGrowth(samples)).toEqual([]);
  });

  it("is flat with two worker threads", async () => {
    expect(memoryGrowth(await simulate(2))).toEqual([]);
  });
});

describe("what is called growth", () => {
  const series = (change: (sample: MemorySample) => Partial<MemorySample>) =>
    Array.from({ length: ROUNDS / 10 }, (_, i) => {
      const round = 10 * (i + 1);
      // As a process behaves: warming up, then a few hundred kilobytes up and down.
      const noise = 200_000 * Math.sin(round) + 8e6 * Math.min(1, round / 80);
      const sample = { round, tensors: 12, sessions: 9, held: 60e6 + noise, resident: 250e6 + 5 * noise };
      return { ...sample, ...change(sample) };
    });

  it("is not the noise of a process that leaks nothing, nor one jump", () => {
    expect(memoryGrowth(series(() => ({})))).toEqual([]);
    expect(memoryGrowth(series(({ round, resident }) => (round > 300 ? { resident: resident + 2e6 } : {})))).toEqual(
      [],
    );
  });

  it.each<[string, (sample: MemorySample) => Partial<MemorySample>, RegExp]>([
    ["one parameter vector a round", ({ round, held }) => ({ held: held + 31_400 * round }), /bytes more held/],
    [
      "a vector of each device",
      ({ round, resident }) => ({ resident: resident + 6 * 31_400 * round }),
      /more resident/,
    ],
    ["a tensor every hundred rounds", ({ round }) => ({ tensors: 12 + Math.floor(round / 100) }), /17 tensors, 13/],
    ["a session that stays open", ({ round }) => ({ sessions: round > 450 ? 10 : 9 }), /10 sessions, 9/],
  ])("is %s", (_, change, problem) => {
    expect(memoryGrowth(series(change))).toEqual([expect.stringMatching(problem)]);
  });

  it("cannot be told from a handful of samples", () => {
    expect(() => memoryGrowth(series(() => ({})).slice(0, 8))).toThrow(RangeError);
  });
});
