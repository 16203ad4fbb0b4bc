import { MurmurError } from "../../shared/protocol/errors.ts";
import type { CommandDefinition } from "../command.ts";
import { countFlag, MOST_DEVICES } from "../number-flags.ts";
import type { Operator } from "../operator-client.ts";
import { withCoordinatorFlags } from "./token.ts";

/** `murmur device keys|list|revoke`: who this machine's devices are, and whom a coordinator knows. */
export const device: CommandDefinition = (parent, act) => {
  const group = parent.command("device").description("this machine's devices, and those that a coordinator knows");

  group
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

  withCoordinatorFlags(group.command("list"))
    .alias("ls")
    .description("the devices that a coordinator has enrolled")
    .action(
      act(async (invocation, _args, options) => {
        const { openOperator } = await import("../operator-client.ts");
        const { deviceTable } = await import("../views/operator-tables.ts");
        const devices = await openOperator(invocation, options).devices();
        invocation.result(devices, (paint) =>
          devices.length === 0 ? "no devices are enrolled" : deviceTable(devices, paint).join("\n"),
        );
      }),
    );

  withCoordinatorFlags(group.command("revoke"))
    .argument("<key>", "its public key, or the beginning of it that no other device has")
    .description("keep a device out, for good, and end its connection")
    .action(
      act(async (invocation, [text = ""], options) => {
        const { openOperator } = await import("../operator-client.ts");
        const beginning = text.toLowerCase();
        if (!/^[0-9a-f]{1,64}$/.test(beginning)) {
          throw new MurmurError("usage", "A device's public key has 64 hexadecimal digits; its beginning is enough.", {
            hint: "`murmur device list` shows how they begin.",
          });
        }
        const operator = openOperator(invocation, options);
        const publicKey = beginning.length === 64 ? beginning : await enrolledKey(operator, beginning);
        if (invocation.flags.dryRun) {
          return invocation.result(
            { ok: true, dryRun: true, ...operator.about, publicKey },
            () => `would revoke ${publicKey} at ${operator.about.url}`,
          );
        }
        const { disconnected } = await operator.revokeDevice(publicKey);
        invocation.result(
          { ok: true, ...operator.about, publicKey, disconnected },
          () => `revoked ${publicKey}${disconnected ? ", and ended its connection" : ", which was not connected"}`,
        );
      }),
    );
};

const MOST_LISTED = 5;

/** The key of the only device whose key begins so. @throws {MurmurError} `no-such-thing`, `usage` when there are several */
async function enrolledKey(operator: Operator, beginning: string): Promise<string> {
  const keys = (await operator.devices()).map(({ publicKey }) => publicKey).filter((key) => key.startsWith(beginning));
  if (keys.length === 1) return keys[0];
  if (keys.length === 0) {
    throw new MurmurError("no-such-thing", `No device whose key begins with ${beginning} is enrolled.`, {
      hint: "`murmur device list` shows them.",
    });
  }
  const more = keys.length > MOST_LISTED ? `, and ${keys.length - MOST_LISTED} more` : "";
  const listed = keys.slice(0, MOST_LISTED).map((key) => key.slice(0, Math.max(16, beginning.length + 4)));
  throw new MurmurError("usage", `${keys.length} devices' keys begin with ${beginning}: ${listed.join(", ")}${more}.`, {
    hint: "Write more of the key.",
  });
}
