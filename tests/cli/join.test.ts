import { existsSync, mkdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { findJoinToken, parseTarget } from "../../cli/join-target.ts";
import { toHex } from "../../shared/crypto/bytes.ts";
import { cryptoProvider } from "../../shared/crypto/node-provider.ts";
import { writeServeFile } from "../../simulations/experiments/serve-file.ts";
import { fakeServer } from "../client/transport/fake-server.ts";
import { playCoordinator } from "../simulations/fleet/playing-coordinator.ts";
import { murmur, temporaryFolder } from "./memory-edge.ts";

const URL_TEXT = "http://127.0.0.1:8080";
const TOKEN = "murmur_e_0011aabb_secret";
const FLOORS = ["--min-cohort", "3", "--min-honest", "2"];

function serving(runs: string, run: string, url: string, joinToken: string, age = 0): void {
  const folder = join(runs, run);
  mkdirSync(folder, { recursive: true });
  writeServeFile(folder, { url, pid: 1, joinToken, operatorToken: "murmur_o_0011aabb_secret" });
  const at = Date.now() / 1000 - age;
  utimesSync(join(folder, "serve.json"), at, at);
}

describe("a command line of murmur join that is not understood", () => {
  it.each<[string[], string]>([
    [[], "argument"],
    [["127.0.0.1:8080"], "not an address"],
    [["localhost:8080"], "http://"],
    [["ws://127.0.0.1:8080"], "http://"],
    [[`${URL_TEXT}/path`], "more than a name"],
    [["http://user:word@127.0.0.1"], "more than a name"],
    [[URL_TEXT, "--devices", "0"], "--devices"],
    [[URL_TEXT, "--devices", "1.5"], "--devices"],
    [[URL_TEXT, "--devices", "10001"], "--devices"],
    [[URL_TEXT, "--engine", "torch"], "--engine must be one of onnx, tfjs"],
    [[URL_TEXT, "--min-cohort", "many"], "--min-cohort"],
    [[URL_TEXT, "--corrupted", "2"], "--corrupted"],
    [[URL_TEXT, "--dropout", "-1"], "--dropout"],
    [[URL_TEXT, "--rounds-per-day", "0"], "--rounds-per-day"],
    [[URL_TEXT, "--authority", "ab".repeat(32)], "belong together"],
    [[URL_TEXT, "--certificates", "file"], "belong together"],
    [[URL_TEXT, "--authority", "nowhere", "--certificates", "nowhere"], "--authority"],
    [[URL_TEXT, "--authority", "ab".repeat(32), "--certificates", "nowhere"], "--certificates"],
  ])("%j exits 2 and says why", async (args, message) => {
    const cwd = temporaryFolder();
    const { exitCode, stdout, stderr } = await murmur(["join", ...args], { cwd });
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
    expect(stderr).toContain(message);
    expect(existsSync(join(cwd, "devices"))).toBe(false);
  });

  it("never repeats a token", async () => {
    const { stderr } = await murmur(["join", `nonsense#${TOKEN}`, "-v"]);
    expect(stderr).not.toContain(TOKEN);
  });
});

describe("the coordinator's address", () => {
  it.each([
    ["http://127.0.0.1:8080", "127.0.0.1:8080", undefined],
    ["http://127.0.0.1:8080/#tok", "127.0.0.1:8080", "tok"],
    ["https://Example.ORG", "example.org:443", undefined],
    ["http://example.org#tok", "example.org:80", "tok"],
    ["http://[::1]:99", "[::1]:99", undefined],
  ])("%s is dialled as %s", (address, audience, token) => {
    const target = parseTarget(address);
    expect(target.audience).toBe(audience);
    expect(target.token).toBe(token);
    expect(target.origin.href).not.toContain("tok");
  });
});

describe("the join token", () => {
  it("is the flag's, else the address's, else the environment's, else that of a coordinator on this machine", () => {
    const runs = join(temporaryFolder(), "runs");
    serving(runs, "7f3a", URL_TEXT, "from-file");
    const find = (flag?: string, fragment = "", environment?: string) =>
      findJoinToken({ target: parseTarget(`${URL_TEXT}${fragment}`), flag, environment, runs })?.token;
    expect(find("flag", "#fragment", "environment")).toBe("flag");
    expect(find(undefined, "#fragment", "environment")).toBe("fragment");
    expect(find(undefined, "", "environment")).toBe("environment");
    expect(find()).toBe("from-file");
    expect(find(undefined, "", "")).toBe("from-file");
  });

  it("is of the coordinator at that address, the latest where several were", () => {
    const runs = join(temporaryFolder(), "runs");
    serving(runs, "1", URL_TEXT, "old", 100);
    serving(runs, "2", URL_TEXT, "new", 10);
    serving(runs, "3", URL_TEXT, "older", 1000);
    serving(runs, "4", "http://127.0.0.1:8081", "another");
    mkdirSync(join(runs, "5"));
    writeFileSync(join(runs, "5", "serve.json"), "{");
    writeFileSync(join(runs, "file"), "");
    const find = (address: string) =>
      findJoinToken({ target: parseTarget(address), flag: undefined, environment: undefined, runs })?.token;
    expect(find(URL_TEXT)).toBe("new");
    expect(find("http://localhost:8080")).toBe("new");
    expect(find("http://127.0.0.1:8081")).toBe("another");
    expect(find("http://127.0.0.1:8082")).toBeUndefined();
    expect(find("https://127.0.0.1:8080")).toBeUndefined();
    expect(find("http://example.org:8080")).toBeUndefined();
  });

  it("is named by where it was, not shown, with --dry-run, which makes nothing", async () => {
    const cwd = temporaryFolder();
    serving(join(cwd, "runs"), "7f3a", URL_TEXT, TOKEN);
    for (const format of ["text", "json"]) {
      const { exitCode, stdout } = await murmur(["join", URL_TEXT, "--dry-run", "--format", format], { cwd });
      expect(exitCode).toBe(0);
      expect(stdout).toContain("serve.json");
      expect(stdout).not.toContain("secret");
    }
    expect(existsSync(join(cwd, "devices"))).toBe(false);
  });
});

describe("murmur device keys", () => {
  it("makes keys once, and prints what the authority certifies", async () => {
    const cwd = temporaryFolder();
    const keys = (...args: string[]) => murmur(["device", "keys", ...args], { cwd });
    const first = await keys("--devices", "2");
    expect(first.exitCode).toBe(0);
    const lines = first.stdout.trim().split("\n");
    expect(lines).toHaveLength(2);
    for (const line of lines) expect(JSON.parse(line)).toEqual({ publicKey: expect.stringMatching(/^[0-9a-f]{64}$/) });
    expect((await keys()).stdout.trim()).toBe(lines[0]);
    expect(JSON.parse((await keys("--devices", "2", "--format", "json")).stdout)).toEqual(
      lines.map((line) => JSON.parse(line)),
    );
    await murmur(["authority", "init", "keys"], { cwd });
    const certified = await murmur(
      ["authority", "certify", "-", "--authority", "keys", "--population", "p", "--expires", "1d"],
      { cwd, stdin: first.stdout },
    );
    expect(certified.exitCode).toBe(0);
    writeFileSync(join(cwd, "certificates"), certified.stdout);
    const join3 = [
      "join",
      URL_TEXT,
      "--devices",
      "3",
      "--authority",
      "keys/authority.pub",
      "--certificates",
      "certificates",
    ];
    const { exitCode, stderr } = await murmur(join3, { cwd });
    expect(exitCode).toBe(4);
    expect(stderr).toContain("There is no certificate for the device");
  });
});

describe("murmur join", () => {
  it("ends well when the run is finished, with what its devices did", async () => {
    const cwd = temporaryFolder();
    const { origin } = await playCoordinator({ rounds: 2 });
    const { exitCode, stdout, stderr } = await murmur(
      ["join", origin.origin, "--devices", "6", ...FLOORS, "--format", "json"],
      { cwd },
    );
    expect({ exitCode, stderr: stderr.includes("round 1  6 done") }).toEqual({ exitCode: 0, stderr: true });
    expect(JSON.parse(stdout)).toEqual({ status: "finished", devices: 6, rounds: 2, uploads: 12, refused: [] });
  });

  it("prints each device's progress with ndjson", async () => {
    const { origin } = await playCoordinator({ rounds: 1 });
    const args = ["join", origin.origin, "--devices", "6", ...FLOORS, "--format", "ndjson", "-q"];
    const { stdout, stderr } = await murmur(args, { cwd: temporaryFolder() });
    const lines = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { type?: string });
    expect(lines.filter(({ type }) => type === "device.round")).toHaveLength(6);
    expect(lines.filter(({ type }) => type === "device.ended")).toHaveLength(6);
    expect(lines.at(-1)).toMatchObject({ status: "finished", uploads: 6 });
    expect(stderr).toBe("");
  });

  it.each([
    ["SIGTERM", 143],
    ["SIGINT", 130],
  ] as const)("leaves on %s within five seconds, saying goodbye", async (signal, code) => {
    const { origin } = await playCoordinator({ rounds: 1e6 });
    let asked = 0;
    const { exitCode, stdout } = await murmur(
      ["join", origin.origin, "--devices", "6", ...FLOORS, "--format", "json"],
      {
        cwd: temporaryFolder(),
        onOutput(text, process) {
          if (asked > 0 || !text.includes("connected")) return;
          asked = Date.now();
          process.signal(signal);
        },
      },
    );
    expect(exitCode).toBe(code);
    expect(Date.now() - asked).toBeLessThan(5_000);
    expect(JSON.parse(stdout)).toMatchObject({ status: "interrupted", devices: 6 });
  });

  it("leaves when nobody reads its events any more", async () => {
    const { origin } = await playCoordinator({ rounds: 1e6 });
    const args = ["join", origin.origin, "--devices", "6", ...FLOORS, "--format", "ndjson", "-q"];
    const { exitCode } = await murmur(args, {
      cwd: temporaryFolder(),
      onOutput: (_text, process) => process.closeStdout(),
    });
    expect(exitCode).toBe(141);
  });

  it("leaves on a signal also while there is no coordinator", async () => {
    const { exitCode } = await murmur(["join", "http://127.0.0.1:9"], {
      cwd: temporaryFolder(),
      onOutput: (text, process) => text.includes("connected") && process.signal("SIGTERM"),
    });
    expect(exitCode).toBe(143);
  }, 20_000);

  it("ends with the coordinator's words when every device is refused", async () => {
    const message = "The device speaks version 1, the coordinator 2: the device is older.";
    const body = JSON.stringify({ ok: false, name: "protocol-version", message });
    const { origin } = await fakeServer({
      onUpgrade: (_request, socket) =>
        void socket.end(`HTTP/1.1 426 Upgrade Required\r\nContent-Length: ${body.length}\r\n\r\n${body}`),
    });
    const { exitCode, stdout } = await murmur(["join", origin.origin, "--devices", "2", "--format", "json"], {
      cwd: temporaryFolder(),
    });
    expect(exitCode).toBe(4);
    expect(JSON.parse(stdout)).toMatchObject({ ok: false, name: "protocol-version", message });
  });

  it("enrols with its token, and never prints it", async () => {
    const tokens: string[] = [];
    const body = JSON.stringify({ ok: false, name: "device-revoked", message: "Revoked." });
    const { origin } = await fakeServer({
      http(request, response) {
        request.on("data", (text) => void tokens.push((JSON.parse(String(text)) as { token: string }).token));
        request.on("end", () => response.writeHead(403).end(body));
      },
      onUpgrade: (_request, socket) =>
        void socket.end(`HTTP/1.1 403 Forbidden\r\nContent-Length: ${body.length}\r\n\r\n${body}`),
    });
    const { exitCode, stdout, stderr } = await murmur(["join", `${origin.origin}/#${TOKEN}`, "-v"], {
      cwd: temporaryFolder(),
    });
    expect({ exitCode, tokens }).toEqual({ exitCode: 4, tokens: [TOKEN] });
    expect(stdout + stderr).not.toContain(TOKEN);
    expect(stderr).toContain("Revoked.");
  });

  it("does not run devices that run already", async () => {
    const cwd = temporaryFolder();
    const { openDeviceFolder } = await import("../../client/storage/device-folder.ts");
    const held = openDeviceFolder(join(cwd, "devices"), 1, cryptoProvider);
    const { exitCode, stderr } = await murmur(["join", URL_TEXT], { cwd });
    expect(exitCode).toBe(4);
    expect(stderr).toContain("murmur explain device-data-in-use");
    expect(stderr).not.toContain(toHex(held.devices[0].key.exportSeed()).slice(0, 8));
    held.close();
  });
});
