import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openRunStore } from "../../../server/store/run-store.ts";
import { type CompiledProcess, compileProcess } from "../../compiled-process.ts";
import { hashOf, modelOf } from "./run-fixtures.ts";

const temporary = mkdtempSync(join(tmpdir(), "murmur-kill-"));
let writer: CompiledProcess;

beforeAll(() => {
  writer = compileProcess("tests/server/store/writer-process.ts");
});

afterAll(() => {
  writer.remove();
  rmSync(temporary, { recursive: true });
});

interface Life {
  readonly spent: readonly number[];
  readonly committed: readonly number[];
}

/** Runs the writer, kills it soon after it has said so many things, and tells what it had promised by then. */
async function liveAndDie(folder: string, mode: "create" | "resume", said: number): Promise<Life> {
  const child = writer.start(folder, mode);
  const spent: number[] = [];
  const committed: number[] = [];
  let lines = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    lines++;
    // A little later, so that it dies anywhere between two of them.
    if (lines === said) setTimeout(() => child.kill("SIGKILL"), said % 4);
    const [word, number] = line.split(" ");
    if (word === "spent") spent.push(Number(number));
    if (word === "committed") committed.push(Number(number));
  }
  return { spent, committed };
}

describe("a coordinator killed with kill -9 at any instant", () => {
  it("loses no committed round, gives no number out twice, and leaves no torn event", async () => {
    const folder = join(temporary, "run");
    const promised = new Set<number>();
    let lastSpent = 0;
    for (let life = 0; life < 12; life++) {
      const { spent, committed } = await liveAndDie(folder, life === 0 ? "create" : "resume", 1 + 2 * life);
      for (const round of spent) {
        expect(round).toBeGreaterThan(lastSpent);
        lastSpent = round;
      }
      for (const round of committed) promised.add(round);

      const store = openRunStore(folder, { mode: "resume" });
      try {
        const kept = store.spentRounds();
        expect(kept.map(({ round }) => round)).toEqual(Array.from({ length: kept.length }, (_, i) => i + 1));
        expect(kept.length).toBeGreaterThanOrEqual(lastSpent);
        // At most the round that it died in is open; earlier lives' were closed when they were resumed.
        const open = kept.filter(({ outcome }) => outcome === "open").map(({ round }) => round);
        expect(open.length === 0 || (open.length === 1 && open[0] === kept.length)).toBe(true);
        const done = kept.filter(({ outcome }) => outcome === "committed").map(({ round }) => round);
        for (const round of promised) expect(done).toContain(round);
        expect(store.rounds().map(({ round }) => round)).toEqual(done);

        const checkpoint = store.latestCheckpoint();
        const last = done.at(-1);
        expect(checkpoint?.round).toBe(last);
        if (last !== undefined) expect(checkpoint?.hash).toBe(hashOf(modelOf(last)));

        const events = store.events();
        expect(events.map(({ seq }) => seq)).toEqual(events.map((_, i) => i + 1));
        const lines = readFileSync(join(folder, "events.ndjson"), "utf8").split("\n");
        expect(lines.pop()).toBe("");
        expect(lines.map((line) => JSON.parse(line))).toEqual(events);

        // What was used stays used, whoever asks.
        if (open.length === 1) {
          expect(store.closeInterrupted()).toEqual(open);
          expect(() => store.markUploadsUsed(open[0], ["a"])).toThrow(/not open/);
          lastSpent = Math.max(lastSpent, open[0]);
        }
      } finally {
        store.close();
      }
    }
    expect(promised.size).toBeGreaterThan(20);
  });

  it("lets the next one in at once, and while it lives nobody else", async () => {
    const folder = join(temporary, "held");
    const child = writer.start(folder, "create");
    await new Promise((resolve) => child.stdout.once("data", resolve));
    expect(() => openRunStore(folder, { mode: "resume" })).toThrow(expect.objectContaining({ name: "run-in-use" }));
    const dead = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await dead;
    openRunStore(folder, { mode: "resume" }).close();
  });
});
