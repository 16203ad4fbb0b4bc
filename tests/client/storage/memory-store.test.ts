import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { openMemoryStore } from "../../../client/storage/memory-store.ts";
import { encodeRoundId } from "../../../server/task.ts";

const TASK = new Uint8Array(16).fill(7);
const ERRORS = { damaged: "device-data-damaged", unavailable: "environment" } as const;

function temporaryPath(): string {
  const folder = mkdtempSync(join(tmpdir(), "murmur-memory-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, "memory.db");
}

function open(path?: string) {
  const store = openMemoryStore({ ...(path === undefined ? {} : { path }), errors: ERRORS });
  onTestFinished(() => store.close());
  return store;
}

const vector = (value: number) => Float32Array.of(value, -value, 0.1 * value);

describe.each([
  ["in a file", () => temporaryPath()],
  ["without a name", () => undefined],
])("a store %s", (_, place) => {
  it("gives back what was kept to the bit, device by device and task by task", () => {
    const store = open(place());
    const [one, other] = [store.of("one"), store.of("other")];
    expect(one.recall(TASK, [])).toBeUndefined();
    one.keep(TASK, encodeRoundId(3), vector(3));
    expect(one.recall(TASK, [])).toEqual(vector(3));
    expect(one.recall(TASK, [2, 4].map(encodeRoundId))).toEqual(vector(3));
    expect(other.recall(TASK, [])).toBeUndefined();
    expect(one.recall(new Uint8Array(16), [])).toBeUndefined();
  });

  it("goes back to the round before one that was lost, and does not come back to what it gave up", () => {
    const memory = open(place()).of("one");
    memory.keep(TASK, encodeRoundId(255), vector(1));
    memory.keep(TASK, encodeRoundId(256), vector(2));
    expect(memory.recall(TASK, [])).toEqual(vector(2));
    expect(memory.recall(TASK, [encodeRoundId(256)])).toEqual(vector(1));
    expect(memory.recall(TASK, [])).toEqual(vector(1));
    memory.keep(TASK, encodeRoundId(257), vector(3));
    expect(memory.recall(TASK, [256, 257].map(encodeRoundId))).toEqual(vector(1));
  });

  it("keeps two vectors, however many rounds there are", () => {
    const memory = open(place()).of("one");
    for (let round = 1; round <= 5; round++) memory.keep(TASK, encodeRoundId(round), vector(round));
    expect(memory.recall(TASK, [encodeRoundId(5)])).toEqual(vector(4));
    expect(memory.recall(TASK, [encodeRoundId(4)])).toBeUndefined();
  });
});

describe("its file", () => {
  it("is there once something is kept, is its owner's alone, and is read by the next process", () => {
    const path = temporaryPath();
    const first = openMemoryStore({ path, errors: ERRORS });
    expect(first.of("one").recall(TASK, [])).toBeUndefined();
    expect(existsSync(path)).toBe(false);
    first.of("one").keep(TASK, encodeRoundId(1), vector(5));
    expect(statSync(path).mode & 0o777).toBe(0o600);
    first.close();
    expect(open(path).of("one").recall(TASK, [])).toEqual(vector(5));
  });

  it("that is something else is said to be damaged", () => {
    const path = temporaryPath();
    writeFileSync(path, "not a database, and long enough to be looked at as one".repeat(100));
    expect(() => open(path).of("one").recall(TASK, [])).toThrow(
      expect.objectContaining({ name: "device-data-damaged" }),
    );
  });

  it("in a folder that is not there cannot be opened", () => {
    const store = open(join(temporaryPath(), "deeper", "memory.db"));
    expect(() => store.of("one").keep(TASK, encodeRoundId(1), vector(1))).toThrow(
      expect.objectContaining({ name: "environment" }),
    );
  });
});
