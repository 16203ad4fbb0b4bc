import { openDeviceFolder } from "../../../client/storage/device-folder.ts";
import { toHex } from "../../../shared/crypto/bytes.ts";
import { cryptoProvider } from "../../../shared/crypto/node-provider.ts";

// Run as a process of its own, which its test kills: records uploads of three devices for ever, and says which are kept.
const { devices } = openDeviceFolder(process.argv[2], 3, cryptoProvider);
process.stdout.write(`open ${devices.map(({ key }) => toHex(key.publicKey)).join(" ")}\n`);
const taskId = new Uint8Array(16);
for (;;) {
  for (const { key, journal } of devices) {
    const latest = journal.latestRound(taskId) ?? new Uint8Array(16);
    const roundId = latest.slice();
    new DataView(roundId.buffer).setUint32(12, new DataView(latest.buffer, latest.byteOffset).getUint32(12) + 1);
    journal.record({ taskId, roundId, modelHash: cryptoProvider.sha256(roundId), at: Date.now() });
    process.stdout.write(`kept ${toHex(key.publicKey)} ${toHex(roundId)}\n`);
  }
}
