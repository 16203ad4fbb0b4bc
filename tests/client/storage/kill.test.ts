import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, expect, it } from "vitest";
import { openDeviceFolder, UPLOADS_FILE } from "../../../client/storage/device-folder.ts";
import { fromHex, toHex } from "../../../shared/crypto/bytes.ts";
import { cryptoProvider } from "../../../shared/crypto/node-provider.ts";
import { type CompiledProcess, compileProcess } from "../../compiled-process.ts";

const temporary = mkdtempSync(join(tmpdir(), "murmur-devices-"));
let devices: CompiledProcess;

beforeAll(() => {
  devices = compileProcess("tests/client/storage/device-process.ts");
});
afterAll(() => {
  devices.remove();
  rmSync(temporary, { recursive: true });
});

it("devices killed with kill -9 at any instant keep their keys and every upload that may have left", async () => {
  const folder = join(temporary, "killed");
  const kept = new Map<string, string>();
  let keys: string | undefined;
  for (let life = 0; life < 8; life++) {
    const child = devices.start(folder);
    for await (const line of createInterface({ input: child.stdout })) {
      const [word, device, round] = line.split(" ");
      if (word === "open") {
        keys ??= line;
        expect(line).toBe(keys);
        setTimeout(() => child.kill("SIGKILL"), 1 + 9 * life);
      } else {
        // Every round once, in order, over all lives.
        expect(round > (kept.get(device) ?? "")).toBe(true);
        kept.set(device, round);
      }
    }
    const again = openDeviceFolder(folder, 3, cryptoProvider);
    for (const { key, journal } of again.devices) {
      const latest = toHex(journal.latestRound(new Uint8Array(16)) ?? new Uint8Array(0));
      const promised = kept.get(toHex(key.publicKey)) ?? "";
      expect(latest >= promised).toBe(true);
      if (promised !== "") expect(journal.hasUploaded(cryptoProvider.sha256(fromHex(promised)))).toBe(true);
      kept.set(toHex(key.publicKey), latest);
    }
    again.close();
    for (const line of readFileSync(join(folder, UPLOADS_FILE), "utf8").split("\n").filter(Boolean)) JSON.parse(line);
  }
  expect(kept.size).toBe(3);
});

it("a folder lets nobody else in while its process lives, and the next one at once when it is killed", async () => {
  const folder = join(temporary, "held");
  const child = devices.start(folder);
  await new Promise((resolve) => child.stdout.once("data", resolve));
  child.stdout.resume();
  expect(() => openDeviceFolder(folder, 1, cryptoProvider)).toThrow(
    expect.objectContaining({ name: "device-data-in-use" }),
  );
  const dead = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await dead;
  openDeviceFolder(folder, 1, cryptoProvider).close();
});
