import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { fromHex, toHex } from "../../shared/crypto/bytes.ts";
import { cryptoProvider } from "../../shared/crypto/node-provider.ts";
import { certificateFromHex, verifyCertificate } from "../../shared/secagg/certificates.ts";
import { murmur, temporaryFolder } from "./memory-edge.ts";

const certify = (...extra: string[]) => [
  "authority",
  "certify",
  "--authority",
  "keys",
  "--population",
  "p",
  "--expires",
  "90d",
  ...extra,
];
const deviceKey = () => toHex(cryptoProvider.generateEd25519().publicKey);

async function authority() {
  const cwd = temporaryFolder();
  const { stdout } = await murmur(["authority", "init", "keys", "--format", "json"], { cwd });
  return { cwd, publicKey: (JSON.parse(stdout) as { publicKey: string }).publicKey };
}

describe("authority init", () => {
  it("keeps the private key from others, and never prints it", async () => {
    const cwd = temporaryFolder();
    const { exitCode, stdout, stderr } = await murmur(["authority", "init", "keys"], { cwd });
    expect(exitCode).toBe(0);
    const file = join(cwd, "keys", "authority.key");
    const secret = readFileSync(file, "utf8").trim();
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(stdout + stderr).not.toContain(secret);
    expect(stdout).toContain(readFileSync(join(cwd, "keys", "authority.pub"), "utf8").trim());
    expect(stdout).toContain("away from the coordinator");
    expect(toHex(cryptoProvider.importEd25519(fromHex(secret)).publicKey)).toBe(
      readFileSync(join(cwd, "keys", "authority.pub"), "utf8").trim(),
    );
  });

  it("never replaces a key", async () => {
    const { cwd } = await authority();
    const before = readFileSync(join(cwd, "keys", "authority.key"), "utf8");
    const { exitCode, stderr } = await murmur(["authority", "init", "keys", "--yes"], { cwd });
    expect(exitCode).toBe(2);
    expect(stderr).toContain("already holds an authority");
    expect(readFileSync(join(cwd, "keys", "authority.key"), "utf8")).toBe(before);
  });

  it("makes nothing with --dry-run", async () => {
    const cwd = temporaryFolder();
    expect((await murmur(["authority", "init", "keys", "--dry-run"], { cwd })).exitCode).toBe(0);
    expect(existsSync(join(cwd, "keys"))).toBe(false);
  });
});

describe("authority certify", () => {
  it("vouches for each key of a file, as JSON lines that devices verify", async () => {
    const { cwd, publicKey } = await authority();
    const keys = [deviceKey(), deviceKey()];
    writeFileSync(
      join(cwd, "devices"),
      `# two\n${keys[0].toUpperCase()}\n\n{"device":"d-1","publicKey":"${keys[1]}"}\n`,
    );
    const { exitCode, stdout } = await murmur(certify("devices"), { cwd });
    expect(exitCode).toBe(0);
    const lines = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(lines.map((line) => line.publicKey)).toEqual(keys);
    const now = Date.now() / 1000;
    const day = 86_400;
    for (const line of lines) {
      expect(line.authority).toBe(publicKey);
      const certificate = certificateFromHex(line.certificate);
      const check = (population: string, at: number, key = line.publicKey) =>
        verifyCertificate(cryptoProvider, fromHex(publicKey), population, fromHex(key), certificate, at);
      expect(check("p", now)).toBe(true);
      expect(check("p", now + 89 * day)).toBe(true);
      expect(check("p", now + 91 * day)).toBe(false);
      expect(check("q", now)).toBe(false);
      expect(check("p", now, deviceKey())).toBe(false);
    }
  });

  it("reads standard input, and prints one document with --format json", async () => {
    const { cwd } = await authority();
    const { stdout } = await murmur(certify("-", "--format", "json"), { cwd, stdin: `${deviceKey()}\n` });
    expect(JSON.parse(stdout)).toHaveLength(1);
  });

  it.each([
    ["abcd\n", "Line 1 is not"],
    [`${"0".repeat(63)}g\n`, "Line 1 is not"],
    ['{"publicKey": 3}\n', "Line 1 is not"],
    ["{\n", "Line 1 is not"],
    [`${"ab".repeat(32)}\n${"AB".repeat(32)}\n`, "Line 2 repeats the key of line 1"],
    ["\n", "no device key"],
  ])("certifies nothing of %j", async (stdin, message) => {
    const { cwd } = await authority();
    const { exitCode, stdout, stderr } = await murmur(certify("-"), { cwd, stdin });
    expect(exitCode).toBe(2);
    expect(stdout).toBe("");
    expect(stderr).toContain(message);
  });

  it("says so when there is no authority, or what is there is no key, without printing it", async () => {
    const { cwd } = await authority();
    const elsewhere = temporaryFolder();
    expect((await murmur(certify("-"), { cwd: elsewhere, stdin: deviceKey() })).exitCode).toBe(3);
    writeFileSync(join(cwd, "keys", "authority.key"), "secret-that-is-no-key");
    const { exitCode, stderr } = await murmur(certify("-", "-v"), { cwd, stdin: deviceKey() });
    expect(exitCode).toBe(3);
    expect(stderr).not.toContain("secret-that-is-no-key");
  });

  it("refuses an expiry that is no duration", async () => {
    const { cwd } = await authority();
    const args = ["authority", "certify", "-", "--authority", "keys", "--population", "p", "--expires", "soon"];
    const { exitCode, stderr } = await murmur(args, { cwd, stdin: deviceKey() });
    expect(exitCode).toBe(2);
    expect(stderr).toContain("90d");
  });
});
