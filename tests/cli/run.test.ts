import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { lockRun } from "../../server/store/lock.ts";
import type { RunEvent } from "../../shared/protocol/events.ts";
import { runConfigSchema } from "../../simulations/experiments/config.ts";
import { type CommandOutcome, murmur, temporaryFolder } from "./memory-edge.ts";

/** Small and quick: softmax regression on the synthetic set, seven devices invited. */
const TINY = {
  task: { dataset: "blobs", model: "softmax", partition: { kind: "iid" } },
  fleet: { devices: 12, dropout: 0 },
  round: { count: 2, cohort: 5, overSelection: 1.3, minCohort: 4 },
  secagg: { corrupted: 0.05, dropout: 0.1, minHonest: 2 },
};

let recorded: string;
let first: CommandOutcome;
let id: string;

beforeAll(async () => {
  recorded = await mkdtemp(join(tmpdir(), "murmur-runs-"));
  writeFileSync(join(recorded, "tiny.yaml"), JSON.stringify(TINY));
  first = await murmur(["run", "tiny.yaml"], { cwd: recorded });
  [id] = readdirSync(join(recorded, "runs"));
});
afterAll(() => rm(recorded, { recursive: true, force: true }));

/** A copy of the finished run, for tests that change it. */
function copyOfRun(): string {
  const cwd = temporaryFolder();
  cpSync(recorded, cwd, { recursive: true });
  return cwd;
}

describe("a run", () => {
  it("prints its result on standard output and its progress, a line a round, on standard error", () => {
    expect(first.exitCode).toBe(0);
    expect(first.stdout).toMatch(
      new RegExp(`^run ${id} {2}blobs iid · softmax · 12 devices · cohort 5 · seed 42 {2}done\n`),
    );
    expect(first.stdout).toContain("✓ every unmasked sum equals the plain sum");
    expect(first.stdout).toContain("The coordinator learnt 2 sums of 7 updates, and who took part; no single update.");
    expect(first.stdout).toContain("not against a coordinator that");
    expect(first.stdout).toContain(`murmur verify ${id}`);
    const lines = first.stderr.trim().split("\n");
    expect(lines).toHaveLength(3);
    expect(lines[0]).toContain("masked, curious-server · complete graph k=6");
    expect(lines[1]).toMatch(/^round 1\/2 {2}acc +\d+\.\d% {2}loss \d\.\d{3} +7 updates +0 lost/);
  });

  it("uses no escape sequence where there is no terminal", () => {
    expect(first.stdout + first.stderr).not.toContain(String.fromCharCode(0x1b));
  });

  it("leaves a configuration that reproduces it", async () => {
    const config = parse(readFileSync(join(recorded, "runs", id, "config.lock.yaml"), "utf8"));
    expect(runConfigSchema.parse(config)).toEqual(runConfigSchema.parse(TINY));
  });

  it("prints exactly one document with --format json", async () => {
    const args = ["run", "tiny.yaml", "--format", "json", "--out", "elsewhere", "--quiet", "--set", "round.count=1"];
    const { exitCode, stdout, stderr } = await murmur(args, { cwd: copyOfRun() });
    expect(exitCode).toBe(0);
    expect(stderr).toBe("");
    const result = JSON.parse(stdout);
    expect(result).toMatchObject({ ok: true, status: "done", rounds: 1, folder: `elsewhere/${result.run}` });
    expect(result.secagg).toMatchObject({ exact: true, level: "curious-server", abandoned: 0 });
    expect(result.accuracy).toBeGreaterThan(0);
    expect(result.bytes.upPerDevice).toBeGreaterThan(0);
    expect(Object.keys(result.seconds)).toContain("unmask");
    expect(Object.keys(result.drops)).toContain("disconnected");
  });

  it("prints one event a line, the recorded ones, with --format ndjson", async () => {
    const cwd = copyOfRun();
    const args = [
      "run",
      "tiny.yaml",
      "--format",
      "ndjson",
      "--out",
      "elsewhere",
      "--no-progress",
      "--set",
      "round.count=1",
    ];
    const { stdout, stderr } = await murmur(args, { cwd });
    expect(stderr).toBe("");
    const events: RunEvent[] = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, i) => i + 1));
    expect(events[0].type).toBe("run.started");
    expect(events.at(-1)?.type).toBe("run.done");
    expect(readFileSync(join(cwd, "elsewhere", events[0].run, "events.ndjson"), "utf8")).toBe(stdout);
  });

  it("exits 99 when it misses a threshold, and says which", async () => {
    const args = ["run", "tiny.yaml", "--set", 'thresholds=["accuracy >= 1", "rounds == 1"]', "--set", "round.count=1"];
    const { exitCode, stdout } = await murmur(args, { cwd: copyOfRun() });
    expect(exitCode).toBe(99);
    expect(stdout).toMatch(/✗ {2}accuracy +0\.\d+ {2}>= 1/);
    expect(stdout).toMatch(/✓ {2}rounds +1 {2}== 1/);
  });

  it("exits 5 when too few devices are left, round after round", async () => {
    const args = ["run", "tiny.yaml", "--set", "fleet.dropout=1", "--set", "round.maxAbandoned=1", "--format", "json"];
    const { exitCode, stdout, stderr } = await murmur(args, { cwd: copyOfRun() });
    expect(exitCode).toBe(5);
    expect(stderr).toContain("2 rounds in a row were abandoned");
    expect(JSON.parse(stdout)).toMatchObject({ ok: false, status: "failed", rounds: 0, secagg: { abandoned: 2 } });
  });

  it("exits 5 when training diverges, with a remedy", async () => {
    const { exitCode, stderr } = await murmur(["run", "tiny.yaml", "--set", "train.lr=1e38", "-q"], {
      cwd: copyOfRun(),
    });
    expect(exitCode).toBe(5);
    expect(stderr).toContain("murmur explain non-finite-update");
    expect(stderr).toContain("train.lr");
  });

  it("says on every view that it is insecure when it is", async () => {
    const args = [
      "run",
      "tiny.yaml",
      "--set",
      "secagg.mode=plaintext",
      "--set",
      "secagg.insecure=true",
      "--set",
      "round.count=1",
    ];
    const { stdout, stderr } = await murmur(args, { cwd: copyOfRun() });
    expect(stdout).toContain("INSECURE: the coordinator saw every device's update");
    expect(stderr).toContain("INSECURE-PLAINTEXT");
  });

  it("says how far its protection goes at active-server", async () => {
    const cwd = copyOfRun();
    await murmur(["authority", "init", "keys"], { cwd });
    const args = [
      "run",
      "tiny.yaml",
      "--set",
      "secagg.level=active-server",
      "--set",
      `secagg.authority=${join(cwd, "keys")}`,
    ];
    const { exitCode, stdout } = await murmur([...args, "--set", "round.count=1"], { cwd });
    expect(exitCode).toBe(0);
    expect(stdout.replaceAll("\n", " ")).toContain("as long as the enrolment authority is not the coordinator");
  });

  it("runs nothing with --dry-run, and says what it would", async () => {
    const cwd = temporaryFolder();
    writeFileSync(join(cwd, "tiny.yaml"), JSON.stringify(TINY));
    const { exitCode, stdout } = await murmur(["run", "tiny.yaml", "--dry-run"], { cwd });
    expect(exitCode).toBe(0);
    expect(stdout).toContain("roster of 7: complete graph, degree 6");
    expect(existsSync(join(cwd, "runs"))).toBe(false);
  });
});

describe("a run on a terminal", () => {
  it("redraws in place, and gives the cursor back before it prints its result", async () => {
    const args = ["run", "tiny.yaml", "--set", "round.count=1"];
    const { stdout, stderr } = await murmur(args, { cwd: copyOfRun(), terminal: { columns: 100, rows: 30 } });
    const esc = String.fromCharCode(0x1b);
    expect(stderr.startsWith(`${esc}[?25l`)).toBe(true);
    expect(stderr.endsWith(`${esc}[?25h`)).toBe(true);
    expect(stderr).toContain("devices");
    expect(stdout).toContain(`${esc}[32mdone`);
  });

  it("leaves the colours out with NO_COLOR, and the view with --no-progress", async () => {
    const terminal = { columns: 100, rows: 30 };
    const args = ["run", "tiny.yaml", "--set", "round.count=1"];
    const plain = await murmur(args, { cwd: copyOfRun(), terminal, env: { NO_COLOR: "1" } });
    expect(plain.stdout).not.toContain(String.fromCharCode(0x1b));
    const silent = await murmur([...args, "--no-progress"], { cwd: copyOfRun(), terminal });
    expect(silent.stderr).toBe("");
  });
});

describe("stopping and resuming", () => {
  const long = ["run", "tiny.yaml", "--set", "round.count=4", "--out", "stopped"];

  async function stoppedRun(signals: readonly ("SIGINT" | "SIGTERM")[], flags: readonly string[] = long) {
    const cwd = copyOfRun();
    let sent = false;
    const outcome = await murmur(flags, {
      cwd,
      onOutput(text, process) {
        if (sent || !text.includes("round 1/4")) return;
        sent = true;
        for (const signal of signals) process.signal(signal);
      },
    });
    return { cwd, outcome, run: readdirSync(join(cwd, "stopped"))[0] };
  }

  it("ends after the round at the first Ctrl-C, and ends where it would have when resumed", async () => {
    const { cwd, outcome, run } = await stoppedRun(["SIGINT"]);
    expect(outcome.exitCode).toBe(130);
    expect(outcome.stdout).toContain("interrupted");
    expect(outcome.stdout).toContain(`murmur run --resume ${run}`);
    expect(outcome.stderr).toContain("stopping after this round");
    const resumed = await murmur(["run", "--resume", "--out", "stopped", "--format", "json"], { cwd });
    expect(resumed.exitCode).toBe(0);
    expect(resumed.stderr).toContain(`run ${run} goes on`);
    expect(JSON.parse(resumed.stdout)).toMatchObject({ run, status: "done", rounds: 4 });
    const straight = await murmur([...long.slice(0, -1), "straight", "--format", "json"], { cwd });
    expect(JSON.parse(resumed.stdout).modelHash).toBe(JSON.parse(straight.stdout).modelHash);
    expect((await murmur(["verify", run, "--out", "stopped"], { cwd })).exitCode).toBe(0);
  });

  it("abandons the round at the second Ctrl-C, and opens no update of it", async () => {
    const { outcome } = await stoppedRun(["SIGINT", "SIGINT"]);
    expect(outcome.exitCode).toBe(130);
    expect(outcome.stderr).toContain("abandoning this round: no update of it is opened");
  });

  it("exits 143 at SIGTERM", async () => {
    const { outcome } = await stoppedRun(["SIGTERM"]);
    expect(outcome.exitCode).toBe(143);
    expect(outcome.stdout).toContain("interrupted");
  });

  it("stops quietly when the reader of its events goes away", async () => {
    const { exitCode, stderr } = await murmur([...long, "--format", "ndjson", "--no-progress"], {
      cwd: copyOfRun(),
      onOutput: (text, process) => {
        if (text.includes("round.started")) process.closeStdout();
      },
    });
    expect(exitCode).toBe(141);
    expect(stderr).toBe("");
  });

  it("takes no other configuration for a run that was started", async () => {
    const { exitCode, stderr } = await murmur(["run", "--resume", id, "--seed", "7"], { cwd: recorded });
    expect(exitCode).toBe(2);
    expect(stderr).toContain("the configuration that it was started with");
  });

  it("says so when there is nothing to resume, or it is running elsewhere", async () => {
    expect((await murmur(["run", "--resume"], { cwd: recorded })).stderr).toContain("no run to resume");
    const cwd = copyOfRun();
    const lock = lockRun(join(cwd, "runs", id));
    const { exitCode, stderr } = await murmur(["run", "--resume", id], { cwd });
    lock.release();
    expect(exitCode).toBe(4);
    expect(stderr).toContain("murmur explain run-in-use");
  });
});

describe("list, show and compare", () => {
  it("lists runs, newest first, and a damaged one among them", async () => {
    const cwd = copyOfRun();
    await murmur(["run", "tiny.yaml", "--set", "round.count=1", "-q"], { cwd });
    mkdirSync(join(cwd, "runs", "bad"));
    writeFileSync(join(cwd, "runs", "bad", "run.db"), "this is no database, and long enough to look at".repeat(99));
    mkdirSync(join(cwd, "runs", "not-a-run"));
    const rows = JSON.parse((await murmur(["list", "--format", "json"], { cwd })).stdout);
    expect(rows.map(({ status }: { status: string }) => status)).toEqual(["done", "done", "damaged"]);
    expect(rows[1].run).toBe(id);
    const { stdout, exitCode } = await murmur(["ls"], { cwd });
    expect(exitCode).toBe(0);
    expect(stdout).toContain("damaged");
    expect((await murmur(["list", "--format", "ndjson"], { cwd })).stdout.trim().split("\n")).toHaveLength(3);
  });

  it("shows every round of one, named by its id, by part of it, or by its folder", async () => {
    const shown = await murmur(["show", id], { cwd: recorded });
    expect(shown.exitCode).toBe(0);
    expect(shown.stdout).toMatch(/^ +1 {2}committed/m);
    expect(shown.stdout).toMatch(/^ +2 {2}committed/m);
    for (const name of [id.slice(0, 3), `runs/${id}`, `./runs/${id}/`]) {
      expect((await murmur(["show", name], { cwd: recorded })).stdout).toBe(shown.stdout);
    }
    const document = JSON.parse((await murmur(["show", id, "--format", "json"], { cwd: recorded })).stdout);
    expect(document).toMatchObject({ run: id, status: "done", committed: 2, exact: true });
    expect(document.rounds).toHaveLength(2);
  });

  it.each(["show", "verify", "rm"])("%s suggests the run that was meant, and exits 2", async (command) => {
    const typo = `${id}0`;
    const { exitCode, stderr } = await murmur([command, typo], { cwd: recorded });
    expect(exitCode).toBe(2);
    expect(stderr).toContain(`There is no run ${typo}`);
    expect(stderr).toContain(`Did you mean ${id}?`);
  });

  it("compares what differs in two runs, and what came of it", async () => {
    const cwd = copyOfRun();
    const other = await murmur(["run", "tiny.yaml", "--seed", "7", "--format", "json", "-q"], { cwd });
    const otherId = JSON.parse(other.stdout).run;
    const compared = JSON.parse((await murmur(["compare", id, otherId, "--format", "json"], { cwd })).stdout);
    expect(compared.sameModel).toBe(false);
    expect(compared.differences).toContainEqual({ path: "config.seed", values: [42, 7] });
    expect((await murmur(["compare", id, otherId], { cwd })).stdout).toContain("the final models differ");
    expect((await murmur(["compare", id, id], { cwd })).stdout).toContain("the same, bit for bit");
  });
});

describe("verify", () => {
  it("plays the run again and finds the same model and files", async () => {
    const { exitCode, stdout } = await murmur(["verify", id], { cwd: recorded });
    expect(exitCode).toBe(0);
    expect(stdout).toContain("✓ model  2 rounds played again gave the same parameters, bit for bit.");
    expect(stdout).toContain("✓ files");
  });

  it("exits 6 when a file was changed since, and names it", async () => {
    const cwd = copyOfRun();
    writeFileSync(join(cwd, "runs", id, "metrics.csv"), "round\n");
    const { exitCode, stdout } = await murmur(["verify", id], { cwd });
    expect(exitCode).toBe(6);
    expect(stdout).toContain("metrics.csv");
  });
});

describe("rm", () => {
  it("deletes when it is told to, and only then", async () => {
    const cwd = copyOfRun();
    const folder = join(cwd, "runs", id);
    expect((await murmur(["rm", id, "--dry-run"], { cwd })).stdout).toContain("would delete");
    expect((await murmur(["rm", id], { cwd, answer: "n" })).exitCode).toBe(2);
    expect((await murmur(["rm", id], { cwd, stdin: "" })).exitCode).toBe(2);
    expect(existsSync(folder)).toBe(true);
    expect((await murmur(["rm", id], { cwd, answer: "y" })).exitCode).toBe(0);
    expect(existsSync(folder)).toBe(false);
  });

  it("never deletes a run in use", async () => {
    const cwd = copyOfRun();
    const lock = lockRun(join(cwd, "runs", id));
    const { exitCode, stderr } = await murmur(["rm", id, "--yes"], { cwd });
    lock.release();
    expect(exitCode).toBe(4);
    expect(stderr).toContain("in use");
    expect(existsSync(join(cwd, "runs", id, "run.db"))).toBe(true);
  });

  it("never deletes what is not a run: another folder, its parent, a link", async () => {
    const cwd = copyOfRun();
    mkdirSync(join(cwd, "runs", "notes"));
    symlinkSync(join(cwd, "runs", id), join(cwd, "runs", "link"));
    for (const name of ["notes", "link", "./runs", "..", "../", "/", "."]) {
      expect((await murmur(["rm", name, "--yes"], { cwd })).exitCode).toBe(2);
    }
    expect(existsSync(join(cwd, "runs", id, "run.db"))).toBe(true);
    expect(existsSync(join(cwd, "runs", "notes"))).toBe(true);
  });
});
