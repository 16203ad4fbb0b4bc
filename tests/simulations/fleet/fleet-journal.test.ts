import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import type { DeviceId } from "../../../shared/protocol/ids.ts";
import { type FleetUpload, openFleetJournal, readFleetJournal } from "../../../simulations/fleet/fleet-journal.ts";

function journalPath(): string {
  const folder = mkdtempSync(join(tmpdir(), "murmur-journal-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return join(folder, "journal.ndjson");
}

function upload(round: number): FleetUpload {
  const bytes = (length: number) => new Uint8Array(length).fill(round);
  return { device: `d-${round}` as DeviceId, taskId: bytes(16), roundId: bytes(16), modelHash: bytes(32), at: round };
}

function record(path: string, ...rounds: readonly number[]): readonly FleetUpload[] {
  const journal = openFleetJournal(path);
  for (const round of rounds) journal.record(upload(round));
  journal.close();
  return journal.uploads;
}

it("remembers uploads across processes, for its owner only", () => {
  const path = journalPath();
  expect(record(path, 1, 2)).toEqual([]);
  expect(record(path, 3)).toEqual([upload(1), upload(2)]);
  expect(readFleetJournal(path)).toEqual([upload(1), upload(2), upload(3)]);
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

it("forgets a line torn by the end of the process at any byte, and goes on behind the last whole one", () => {
  const path = journalPath();
  record(path, 1, 2);
  const whole = readFileSync(path);
  const secondLine = whole.indexOf("\n") + 1;
  for (let cut = secondLine; cut < whole.length; cut++) {
    writeFileSync(path, whole.subarray(0, cut));
    expect(record(path, 3)).toEqual([upload(1)]);
    expect(readFleetJournal(path)).toEqual([upload(1), upload(3)]);
  }
});

it("does not forget a whole line that it cannot read", () => {
  const path = journalPath();
  record(path, 1);
  appendFileSync(path, "not an upload\n");
  const before = readFileSync(path);
  expect(() => openFleetJournal(path)).toThrow(expect.objectContaining({ name: "store-corrupt" }));
  expect(readFileSync(path)).toEqual(before);
});

it("is empty where there is none yet", () => {
  expect(readFleetJournal(journalPath())).toEqual([]);
});
