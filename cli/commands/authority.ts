import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { MurmurError } from "../../shared/protocol/errors.ts";
import type { CommandDefinition } from "../command.ts";
import type { Invocation } from "../invocation.ts";

/** `murmur authority init|certify`: who vouches for devices, apart from the coordinator. */
export const authority: CommandDefinition = (parent, act) => {
  const group = parent.command("authority").description("the enrolment authority: whose word devices trust");

  group
    .command("init")
    .argument("<folder>", "where to keep it; away from the coordinator")
    .description("make an authority's key pair")
    .action(
      act(async (invocation, [folder]) => {
        const { AUTHORITY_KEY_FILE, createAuthority } = await import(
          "../../simulations/experiments/authority-folder.ts"
        );
        const { toHex } = await import("../../shared/crypto/bytes.ts");
        const { cryptoProvider } = await import("../../shared/crypto/node-provider.ts");
        const target = resolve(invocation.edge.cwd, folder ?? ".");
        if (invocation.flags.dryRun) {
          return invocation.result(
            { ok: true, dryRun: true, folder: target },
            () => `would make a key pair in ${target}`,
          );
        }
        const publicKey = toHex(createAuthority(target, cryptoProvider).publicKey);
        invocation.result({ ok: true, publicKey, folder: target }, (paint) =>
          [
            `${paint.learnt("✓")} ${folder}/${AUTHORITY_KEY_FILE}  private: whoever has it can invent devices`,
            `public key  ${publicKey}`,
            "",
            "Keep this folder away from the coordinator: protection from an active coordinator rests on that.",
            "Devices pin the public key; `murmur authority certify` vouches for theirs.",
          ].join("\n"),
        );
      }),
    );

  group
    .command("certify")
    .argument("<keys>", "file of device public keys, one hexadecimal key or JSON object a line; - for standard input")
    .description("vouch for devices: a certificate for each key, as JSON lines")
    .requiredOption("--authority <folder>", "the authority's folder")
    .requiredOption("--population <name>", "what the devices are enrolled in")
    .requiredOption("--expires <duration>", 'how long the certificates hold, such as "90d"')
    .action(
      act(async (invocation, [keys], options) => {
        const { loadAuthority } = await import("../../simulations/experiments/authority-folder.ts");
        const { parseDuration } = await import("../../simulations/experiments/config-values.ts");
        const { fromHex, toHex } = await import("../../shared/crypto/bytes.ts");
        const { cryptoProvider } = await import("../../shared/crypto/node-provider.ts");
        const { certificateToHex, issueCertificate } = await import("../../shared/secagg/certificates.ts");

        const lifetime = parseDuration(String(options.expires));
        if (lifetime === undefined) {
          throw new MurmurError(
            "usage",
            `--expires wants a duration such as 90d or 12h; got "${String(options.expires)}".`,
          );
        }
        const population = String(options.population);
        const publicKeys = parseDeviceKeys(await readKeys(invocation, keys ?? "-"));
        const key = loadAuthority(resolve(invocation.edge.cwd, String(options.authority)), cryptoProvider);
        const expiry = Math.floor((invocation.edge.clock() + lifetime) / 1000);
        const lines = publicKeys.map((publicKey) => ({
          publicKey,
          population,
          expires: new Date(expiry * 1000).toISOString(),
          certificate: certificateToHex(issueCertificate(key, population, fromHex(publicKey), expiry)),
          authority: toHex(key.publicKey),
        }));
        invocation.result(lines, () => lines.map((line) => JSON.stringify(line)).join("\n"));
        invocation.note(
          `${lines.length} certificates for ${population}, until ${new Date(expiry * 1000).toISOString()}`,
        );
      }),
    );
};

async function readKeys({ edge }: Invocation, file: string): Promise<string> {
  if (file === "-") return edge.stdin.read();
  try {
    return readFileSync(resolve(edge.cwd, file), "utf8");
  } catch (cause) {
    throw new MurmurError("usage", `The file of device keys, ${file}, cannot be read.`, {
      hint: "Give a file with one public key a line, or - for standard input.",
      cause,
    });
  }
}

/** Lower-case hexadecimal keys. Blank lines and lines that begin with # are skipped. */
function parseDeviceKeys(text: string): string[] {
  const seen = new Map<string, number>();
  text.split("\n").forEach((raw, index) => {
    const line = raw.trim();
    if (line === "" || line.startsWith("#")) return;
    const key = deviceKeyOf(line);
    const earlier = key === undefined ? undefined : seen.get(key);
    if (key === undefined) {
      throw new MurmurError("usage", `Line ${index + 1} is not a device's public key of 64 hexadecimal digits.`, {
        hint: 'Write the key alone, or as {"publicKey": "…"}.',
      });
    }
    if (earlier !== undefined) {
      throw new MurmurError("usage", `Line ${index + 1} repeats the key of line ${earlier}.`, {
        hint: "Two devices never share a key: find out which of them is not what it says.",
      });
    }
    seen.set(key, index + 1);
  });
  if (seen.size === 0)
    throw new MurmurError("usage", "There is no device key to certify.", { hint: "Give one a line." });
  return [...seen.keys()];
}

function deviceKeyOf(line: string): string | undefined {
  let key: unknown = line;
  if (line.startsWith("{")) {
    try {
      key = (JSON.parse(line) as { publicKey?: unknown }).publicKey;
    } catch {
      return undefined;
    }
  }
  return typeof key === "string" && /^[0-9a-f]{64}$/i.test(key) ? key.toLowerCase() : undefined;
}
