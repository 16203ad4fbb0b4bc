import type { CommandDefinition } from "../command.ts";
import { countFlag, MOST_DEVICES } from "../number-flags.ts";

/** `murmur device keys`: who this machine's devices are. */
export const device: CommandDefinition = (parent, act) => {
  parent
    .command("device")
    .description("the devices of this machine")
    .command("keys")
    .description("their public keys, as JSON lines for `murmur authority certify`; made where they are missing")
    .option("--data <folder>", "where they are kept (default: devices)")
    .option("--devices <number>", "how many (default: 1)")
    .action(
      act(async (invocation, _args, { data, devices }) => {
        const { resolve } = await import("node:path");
        const { openDeviceFolder } = await import("../../client/storage/device-folder.ts");
        const { toHex } = await import("../../shared/crypto/bytes.ts");
        const { cryptoProvider } = await import("../../shared/crypto/node-provider.ts");
        const count = countFlag("--devices", devices === undefined ? undefined : String(devices), 1, MOST_DEVICES);
        const folder = resolve(invocation.edge.cwd, data === undefined ? "devices" : String(data));
        if (invocation.flags.dryRun) {
          return invocation.result(
            { ok: true, dryRun: true, folder, devices: count },
            () => `would make ${count} keys in ${folder} where they are missing`,
          );
        }
        const opened = openDeviceFolder(folder, count, cryptoProvider);
        const lines = opened.devices.map(({ key }) => ({ publicKey: toHex(key.publicKey) }));
        opened.close();
        invocation.result(lines, () => lines.map((line) => JSON.stringify(line)).join("\n"));
      }),
    );
};
