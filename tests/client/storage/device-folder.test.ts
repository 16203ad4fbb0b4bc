import {
  appendFileSync,
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { KEYS_FILE, openDeviceFolder, UPLOADS_FILE } from "../../../client/storage/device-folder.ts";
import { fromHex, toHex } from "../../../shared/crypto/bytes.ts";
import { cryptoProvider } from "../../../shared/crypto/node-provider.ts";

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "murmur-devices-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, "devices");
}

/** Opens, looks, closes. */
function keysOf(folder: string, count: number): string[] {
  const opened = openDeviceFolder(folder, count, cryptoProvider);
  opened.close();
  return opened.devices.map(({ key }) => toHex(key.publicKey));
}

const upload = (round: number) => ({
  taskId: new Uint8Array(16).fill(1),
  roundId: new Uint8Array(16).fill(round),
  modelHash: new Uint8Array(32).fill(round),
  at: round,
});

describe("keys", () => {
  it("are made where they are missing, and are the same ever after", () => {
    const folder = temporaryFolder();
    const three = keysOf(folder, 3);
    expect(new Set(three).size).toBe(3);
    expect(keysOf(folder, 2)).toEqual(three.slice(0, 2));
    const five = keysOf(folder, 5);
    expect(five.slice(0, 3)).toEqual(three);
    expect(keysOf(folder, 5)).toEqual(five);
  });

  it("are their owner's alone", () => {
    const folder = temporaryFolder();
    keysOf(folder, 1);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    for (const file of [KEYS_FILE, UPLOADS_FILE]) expect(statSync(join(folder, file)).mode & 0o777).toBe(0o600);
  });

  it("sign as what they say they are", () => {
    const opened = openDeviceFolder(temporaryFolder(), 1, cryptoProvider);
    const [{ key }] = opened.devices;
    opened.close();
    const message = Uint8Array.of(1, 2, 3);
    expect(cryptoProvider.verifyEd25519(key.publicKey, message, key.sign(message))).toBe(true);
  });

  it("are made again where the end of a process tore the line: nobody had heard of that one", () => {
    const folder = temporaryFolder();
    const [first] = keysOf(folder, 2);
    const path = join(folder, KEYS_FILE);
    const whole = readFileSync(path);
    writeFileSync(path, whole.subarray(0, whole.length - 20));
    const again = keysOf(folder, 2);
    expect(again[0]).toBe(first);
    expect(keysOf(folder, 2)).toEqual(again);
  });

  it.each([
    ["no JSON", () => "seed\n"],
    ["an empty line", () => "\n"],
    ["a short seed", () => `${JSON.stringify({ publicKey: "ab", seed: "cd" })}\n`],
    [
      "another seed's key",
      () => {
        const [a, b] = [cryptoProvider.generateEd25519(), cryptoProvider.generateEd25519()];
        return `${JSON.stringify({ publicKey: toHex(a.publicKey), seed: toHex(b.exportSeed()) })}\n`;
      },
    ],
  ])("that are damaged are never guessed, nor shown: %s", (_, line) => {
    const folder = temporaryFolder();
    keysOf(folder, 1);
    appendFileSync(join(folder, KEYS_FILE), line());
    const before = readFileSync(join(folder, KEYS_FILE), "utf8");
    let error: unknown;
    try {
      keysOf(folder, 3);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toMatchObject({ name: "device-data-damaged", message: expect.stringContaining("Line 2") });
    const { seed } = JSON.parse(before.split("\n")[0]) as { seed: string };
    expect(cryptoProvider.importEd25519(fromHex(seed))).toBeDefined();
    expect(String((error as Error).stack)).not.toContain(seed.slice(0, 8));
    expect((error as Error).cause).toBeUndefined();
    expect(readFileSync(join(folder, KEYS_FILE), "utf8")).toBe(before);
    // It is not held either.
    writeFileSync(join(folder, KEYS_FILE), `${before.split("\n")[0]}\n`);
    keysOf(folder, 1);
  });
});

describe("the memory of uploads", () => {
  it("is each device's own, and outlives the process", () => {
    const folder = temporaryFolder();
    const first = openDeviceFolder(folder, 2, cryptoProvider);
    first.devices[0].journal.record(upload(3));
    first.devices[1].journal.record(upload(4));
    first.close();
    const again = openDeviceFolder(folder, 2, cryptoProvider);
    const [a, b] = again.devices.map(({ journal }) => journal);
    expect(a.latestRound(upload(3).taskId)).toEqual(upload(3).roundId);
    expect(a.latestRound(new Uint8Array(16))).toBeUndefined();
    expect([a.hasUploaded(upload(3).modelHash), a.hasUploaded(upload(4).modelHash)]).toEqual([true, false]);
    expect(b.latestRound(upload(3).taskId)).toEqual(upload(4).roundId);
    expect([a.uploadsSince(3), a.uploadsSince(4)]).toEqual([1, 0]);
    again.close();
  });

  it.each([["not an upload"], ["{}"], [JSON.stringify({ device: "d", task: "00", round: "00", model: "00", at: 1 })]])(
    "is never guessed: %s",
    (line) => {
      const folder = temporaryFolder();
      keysOf(folder, 1);
      appendFileSync(join(folder, UPLOADS_FILE), `${line}\n`);
      expect(() => keysOf(folder, 1)).toThrow(expect.objectContaining({ name: "device-data-damaged" }));
    },
  );
});

it("says what to do about a folder that cannot be one", () => {
  const file = join(mkdtempSync(join(tmpdir(), "murmur-devices-")), "file");
  onTestFinished(() => rmSync(join(file, ".."), { recursive: true }));
  writeFileSync(file, "");
  for (const folder of [file, join(file, "inside")]) {
    expect(() => keysOf(folder, 1)).toThrow(
      expect.objectContaining({ name: "environment", hint: expect.stringContaining("--data") }),
    );
  }
});

it("does not hide what else is in the folder", () => {
  const folder = temporaryFolder();
  keysOf(folder, 1);
  chmodSync(folder, 0o755);
  keysOf(folder, 1);
  expect(readdirSync(folder).sort()).toEqual(["devices.lock", KEYS_FILE, UPLOADS_FILE].sort());
});
