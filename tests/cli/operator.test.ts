import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { writeServeFile } from "../../simulations/experiments/serve-file.ts";
import { openCoordinator } from "../server/api/coordinator-fixture.ts";
import { AUDIENCE, newKeys, requestOf } from "../server/enrolment/enrolment-fixtures.ts";
import { type CommandSurroundings, murmur, temporaryFolder } from "./memory-edge.ts";

const DAY = 86_400_000;
const GONE = 2 ** 30;

/** A folder as a run's, and with a process id as that of a run that is served. */
function writeRun(cwd: string, run: string, url = "http://127.0.0.1:1", pid?: number, operatorToken = "murmur_o_x") {
  const folder = join(cwd, "runs", run);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "run.db"), "");
  if (pid !== undefined) writeServeFile(folder, { url, pid, joinToken: "murmur_e_x", operatorToken });
}

/** A coordinator that listens, and the folder of its run. */
async function served() {
  const coordinator = openCoordinator();
  const { registry, clock } = coordinator.enrolment;
  clock.time = Date.now();
  onTestFinished(() => coordinator.close());
  const url = await coordinator.listen();
  const cwd = temporaryFolder();
  const operator = registry.createToken({ scope: "operate", count: 1, expiresAt: clock.time + DAY });
  writeRun(cwd, "7f3a", url, process.pid, operator.token);

  function joinToken(count: number) {
    return registry.createToken({ scope: "enrol", count, expiresAt: clock.time + DAY });
  }

  /** The keys of so many new devices, ascending. */
  async function enrol(count: number) {
    const { token } = joinToken(count);
    const devices = newKeys(count).map((key) => requestOf(key, token));
    await registry.enrol({ token, audience: AUDIENCE, devices });
    return registry.list().map(({ publicKey }) => publicKey);
  }

  /** The command line in the folder; nothing of it may ever tell the operator's token. */
  async function run(args: readonly string[], surroundings: CommandSurroundings = {}) {
    const outcome = await murmur(args, { cwd, ...surroundings });
    expect(outcome.stdout + outcome.stderr + coordinator.log()).not.toContain(operator.token);
    return outcome;
  }

  /** What the command line tells as data. */
  async function data(...args: string[]) {
    return JSON.parse((await run([...args, "--format", "json"])).stdout);
  }

  return { coordinator, registry, clock, url, cwd, operator, joinToken, enrol, run, data };
}

describe("token create", () => {
  it("prints a token, how to join with it, and how long it is good", async () => {
    const { run, registry, url } = await served();
    const { exitCode, stdout, stderr } = await run(["token", "create"]);
    expect(exitCode).toBe(0);
    const [token] = /murmur_e_[0-9a-f]{8}_[\w-]{43}/.exec(stdout) ?? [""];
    expect(registry.authorises(token, "enrol")).toBe(true);
    expect(stdout).toContain(`murmur join '${url}/#${token}'`);
    expect(stdout).toMatch(/until \d{4}-\d\d-\d\d \d\d:\d\d UTC, for 1 device;/);
    expect(stderr).toContain("127.0.0.1");
  });

  it("makes it as it was asked to, and tells so as data", async () => {
    const { data, registry, clock, url } = await served();
    const made = await data("token", "create", "--count", "30", "--expires", "90min");
    expect(made).toMatchObject({ ok: true, run: "7f3a", url, scope: "enrol", count: 30, expires: 5400 });
    expect(made.join).toBe(`${url}/#${made.token}`);
    const view = registry.tokens().find(({ id }) => id === made.id);
    expect(view).toMatchObject({ uses: 30, usesLeft: 30, expiresAt: clock.time + 5_400_000 });
    expect(made.expiresAt).toBe(new Date(clock.time + 5_400_000).toISOString());
  });

  it("makes none with --dry-run, and says what it would be", async () => {
    const { run, registry } = await served();
    const before = registry.tokens().length;
    const enrols = await run(["token", "create", "--count", "2", "--dry-run"]);
    expect(enrols.stdout).toContain("that enrols 2 devices, good for 1h");
    const operates = await run(["token", "create", "--scope", "operate", "--expires", "600s", "--dry-run"]);
    expect(operates.stdout).toContain("that operates, good for 10min");
    expect(registry.tokens()).toHaveLength(before);
  });

  it("makes one that operates from elsewhere", async () => {
    const { data, coordinator, url } = await served();
    const { token, join: address } = await data("token", "create", "--scope", "operate");
    expect(address).toBeUndefined();
    const elsewhere = { cwd: temporaryFolder(), env: { MURMUR_OPERATOR_TOKEN: `${token}\n` } };
    const { exitCode, stdout, stderr } = await murmur(["stop", "--url", url], elsewhere);
    expect(exitCode).toBe(0);
    expect(stdout).toContain(`${url} stops after the round`);
    expect(stdout + stderr).not.toContain(token);
    expect(coordinator.calls).toEqual([["stop", "after-round"]]);
  });

  it.each([
    ["--count", "0"],
    ["--count", "1000001"],
    ["--count", "2", "--scope", "operate"],
    ["--expires", "soon"],
    ["--expires", "0s"],
    ["--expires", "367d"],
    ["--scope", "all"],
    ["--run", "7f3a", "--token", "x"],
  ])("refuses %j %j", async (...args) => {
    const { run, registry } = await served();
    const before = registry.tokens().length;
    expect((await run(["token", "create", ...args])).exitCode).toBe(2);
    expect(registry.tokens()).toHaveLength(before);
  });
});

describe("token list and revoke", () => {
  it("lists what each token is good for, without its secret", async () => {
    const { run, data, registry, enrol, joinToken, operator } = await served();
    await enrol(2);
    const good = joinToken(2000);
    const revoked = joinToken(1);
    registry.revokeToken(revoked.id);
    const rows: { id: string; scope: string; state: string }[] = await data("token", "list");
    const states = Object.fromEntries(rows.map(({ id, state }) => [id, state]));
    expect(states).toMatchObject({ [good.id]: "good", [revoked.id]: "revoked", [operator.id]: "good" });
    expect(Object.values(states).sort()).toEqual(["expired", "expired", "good", "good", "revoked", "used up"]);
    expect((await run(["token", "list", "--format", "ndjson"])).stdout.trim().split("\n")).toHaveLength(6);
    const { stdout } = await run(["token", "ls"]);
    expect(stdout).toMatch(new RegExp(`^${good.id}  enrol +good +0 of 2,000  `, "m"));
    expect(stdout).not.toContain(good.token.slice(18));
  });

  it("revokes one", async () => {
    const { run, data, registry, joinToken } = await served();
    const { id, token } = joinToken(1);
    expect((await run(["token", "revoke", id, "--dry-run"])).stdout).toContain("would revoke");
    expect(registry.authorises(token, "enrol")).toBe(true);
    expect((await run(["token", "revoke", id.toUpperCase()])).stdout).toBe(`revoked ${id}\n`);
    expect(registry.authorises(token, "enrol")).toBe(false);
    expect(await data("token", "revoke", id)).toMatchObject({ ok: true, id });
  });

  it("says so when there is none with the id", async () => {
    const { run } = await served();
    const { exitCode, stderr } = await run(["token", "revoke", "00000000"]);
    expect(exitCode).toBe(2);
    expect(stderr).toContain("There is no token 00000000.");
    expect(stderr).toContain("murmur token list");
    expect(stderr).toContain("murmur explain no-such-thing");
  });

  it("does not repeat a whole token that it was given", async () => {
    const { run, joinToken } = await served();
    const { token } = joinToken(1);
    const { exitCode, stdout, stderr } = await run(["token", "revoke", token, "-v"]);
    expect(exitCode).toBe(2);
    expect(stdout + stderr).not.toContain(token);
  });
});

describe("device list and revoke", () => {
  it("lists the devices of all pages", async () => {
    const world = await served();
    const keys = await world.enrol(1001);
    const rows: { publicKey: string }[] = await world.data("device", "list");
    expect(rows.map(({ publicKey }) => publicKey)).toEqual(keys);
  });

  it("shows as much of a key as tells it apart, its last name, and whether it was revoked", async () => {
    const world = await served();
    const [first, second] = await world.enrol(2);
    world.registry.remember(Buffer.from(first, "hex"), "d-007");
    world.registry.revoke(second);
    const { stdout } = await world.run(["device", "ls"]);
    const minute = "\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d";
    expect(stdout).toMatch(new RegExp(`^${first.slice(0, 8)}  d-007 +${minute}  [0-9a-f]{8}$`, "m"));
    expect(stdout).toMatch(new RegExp(`^${second.slice(0, 8)}  – +${minute}  [0-9a-f]{8}  ${minute}$`, "m"));
  });

  it("says so when there are none", async () => {
    const { run, data } = await served();
    expect((await run(["device", "list"])).stdout).toBe("no devices are enrolled\n");
    expect(await data("device", "list")).toEqual([]);
  });

  it("revokes the one whose key begins so, and nobody when it could be several", async () => {
    const world = await served();
    const keys = await world.enrol(17);
    const twice = keys.find((key, at) => keys[at + 1]?.[0] === key[0])![0];
    const { exitCode, stderr } = await world.run(["device", "revoke", twice]);
    expect(exitCode).toBe(2);
    expect(stderr).toContain(`devices' keys begin with ${twice}: `);
    expect(world.registry.enrolled()).toBe(17);

    const dry = await world.run(["device", "revoke", keys[3].slice(0, 12), "--dry-run"]);
    expect(dry.stdout).toContain(`would revoke ${keys[3]}`);
    expect(world.registry.enrolled()).toBe(17);

    const done = await world.run(["device", "revoke", keys[3].slice(0, 12).toUpperCase()]);
    expect(done.stdout).toBe(`revoked ${keys[3]}, and ended its connection\n`);
    expect(world.coordinator.calls).toEqual([["disconnect", keys[3], "revoked", expect.any(String)]]);
    expect(world.registry.admit(Buffer.from(keys[3], "hex"))).toBe("revoked");
    const rows: { publicKey: string; revokedAt: string | null }[] = await world.data("device", "list");
    expect(rows.filter(({ revokedAt }) => revokedAt !== null).map(({ publicKey }) => publicKey)).toEqual([keys[3]]);
  });

  it("revokes a whole key, and says so when it is not enrolled", async () => {
    const world = await served();
    const [key] = await world.enrol(1);
    expect(await world.data("device", "revoke", key)).toMatchObject({ ok: true, publicKey: key, disconnected: true });
    for (const absent of ["0".repeat(64), key[0] === "0" ? "1" : "0"]) {
      const { exitCode, stderr } = await world.run(["device", "revoke", absent]);
      expect(exitCode).toBe(2);
      expect(stderr).toContain("murmur device list");
      expect(stderr).toContain("explain no-such-thing");
    }
    for (const nonsense of ["d-007", `${key}0`, "../tokens", ""]) {
      expect((await world.run(["device", "revoke", nonsense])).stderr).toContain("explain usage");
    }
  });
});

describe("stop", () => {
  it("stops after the round, or now, or not at all", async () => {
    const { run, data, coordinator } = await served();
    expect((await run(["stop", "--dry-run"])).stdout).toContain("would stop 7f3a after the round");
    expect(coordinator.calls).toEqual([]);
    const { exitCode, stdout } = await run(["stop"]);
    expect(exitCode).toBe(0);
    expect(stdout).toContain("7f3a stops after the round that is under way");
    expect(stdout).toContain("murmur serve --resume 7f3a");
    expect(await data("stop", "--now")).toMatchObject({ ok: true, run: "7f3a", stopping: "now" });
    expect(coordinator.calls).toEqual([
      ["stop", "after-round"],
      ["stop", "now"],
    ]);
  });
});

describe("which coordinator", () => {
  it("is the only one whose process is there", async () => {
    const { run, cwd, coordinator } = await served();
    writeRun(cwd, "0old");
    writeRun(cwd, "1gone", "http://127.0.0.1:1", GONE);
    expect((await run(["stop"])).exitCode).toBe(0);
    expect(coordinator.calls).toHaveLength(1);
  });

  it("has to be named when there are several", async () => {
    const { run, cwd, coordinator, url } = await served();
    writeRun(cwd, "8bcd", "http://127.0.0.1:1", process.pid);
    const { exitCode, stderr } = await run(["stop"]);
    expect(exitCode).toBe(2);
    expect(stderr).toContain(`7f3a (${url}), 8bcd (http://127.0.0.1:1)`);
    expect(stderr).toContain("--run");
    for (const name of ["7f3a", "7", "runs/7f3a", join(cwd, "runs", "7f3a")]) {
      expect((await run(["stop", "--run", name])).exitCode).toBe(0);
    }
    expect(coordinator.calls).toHaveLength(4);
  });

  it("is looked for in the folder of runs", async () => {
    const { run, cwd } = await served();
    const surroundings = { cwd: temporaryFolder() };
    expect((await run(["stop", "--out", join(cwd, "runs")], surroundings)).exitCode).toBe(0);
    const { exitCode, stderr } = await run(["stop"], surroundings);
    expect(exitCode).toBe(4);
    expect(stderr).toContain("No run in runs is being served.");
    expect(stderr).toContain("murmur explain not-serving");
  });

  it("is not one that is not there", async () => {
    const cwd = temporaryFolder();
    writeRun(cwd, "done");
    writeRun(cwd, "killed", "http://127.0.0.1:1", GONE);
    const done = await murmur(["token", "list", "--run", "done"], { cwd });
    expect(done).toMatchObject({ exitCode: 4, stderr: expect.stringContaining("Run done is not being served.") });
    const killed = await murmur(["token", "list", "--run", "killed"], { cwd });
    expect(killed).toMatchObject({ exitCode: 4, stderr: expect.stringContaining(`no process ${GONE}`) });
    expect(killed.stderr).toContain("murmur serve --resume killed");
    const other = await murmur(["token", "list", "--run", "other"], { cwd });
    expect(other).toMatchObject({ exitCode: 2, stderr: expect.stringContaining("explain run-not-found") });
  });

  it("is at --url, with the token of the run or of the environment", async () => {
    const { run, coordinator, url, operator } = await served();
    const localhost = url.replace("127.0.0.1", "localhost");
    expect((await run(["stop", "--run", "7f3a", "--url", localhost])).exitCode).toBe(0);
    const env = { MURMUR_OPERATOR_TOKEN: operator.token };
    expect((await run(["stop", "--url", `${url}/`], { env })).exitCode).toBe(0);
    expect(coordinator.calls).toHaveLength(2);
  });

  it("is warned of when others on the way could read the token", async () => {
    const env = { MURMUR_OPERATOR_TOKEN: "x" };
    const warned = async (url: string) => (await murmur(["stop", "--url", url, "--dry-run"], { env })).stderr;
    expect(await warned("http://fl.example.org:8080")).toContain("is not https");
    expect(await warned("https://fl.example.org")).toBe("");
    expect(await warned("http://127.0.0.1:8080")).toBe("");
  });

  it.each([
    [{}, 4, "operator-only"],
    [{ MURMUR_OPERATOR_TOKEN: " " }, 4, "operator-only"],
    [{ MURMUR_OPERATOR_TOKEN: "secret\u0000secret" }, 4, "operator-only"],
    [{ MURMUR_OPERATOR_TOKEN: `murmur_o_00000000_${"A".repeat(43)}` }, 4, "operator-only"],
  ])("is not operated with %j", async (env: Record<string, string>, code, name) => {
    const { run, url, coordinator } = await served();
    const { exitCode, stdout, stderr } = await run(["stop", "--url", url, "-v"], { env });
    expect(exitCode).toBe(code);
    expect(stderr).toContain(`murmur explain ${name}`);
    expect(stderr).toContain("MURMUR_OPERATOR_TOKEN");
    expect(stdout + stderr).not.toMatch(/secret|AAAA/);
    expect(coordinator.calls).toEqual([]);
  });

  it("is not operated with an operator token that has expired, was revoked, or only enrols", async () => {
    const world = await served();
    world.registry.revokeToken(world.operator.id);
    const { exitCode, stderr } = await world.run(["stop"]);
    expect(exitCode).toBe(4);
    expect(stderr).toContain(`token in ${join("runs", "7f3a", "serve.json")}`);
    const terms = { count: 1, expiresAt: world.clock.time + DAY };
    const expired = world.registry.createToken({ scope: "operate", ...terms, expiresAt: world.clock.time - 1 });
    const enrols = world.registry.createToken({ scope: "enrol", ...terms });
    for (const { token } of [expired, enrols]) {
      const env = { MURMUR_OPERATOR_TOKEN: token };
      const outcome = await world.run(["token", "list", "--url", world.url, "--format", "json"], { env });
      expect(JSON.parse(outcome.stdout)).toMatchObject({ ok: false, code: 4, name: "operator-only" });
      expect(outcome.stdout).not.toContain(token);
    }
  });

  it.each([
    "http://127.0.0.1:1/#murmur_o_secret",
    "http://127.0.0.1:1/v1",
    "http://user:secret@127.0.0.1:1",
    "ws://127.0.0.1:1",
    "secret",
  ])("is not %s", async (url) => {
    const { exitCode, stderr } = await murmur(["stop", "--url", url], { env: { MURMUR_OPERATOR_TOKEN: "x" } });
    expect(exitCode).toBe(2);
    expect(stderr).not.toMatch(/murmur_o_secret|user:secret/);
  });
});
