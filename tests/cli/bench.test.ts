import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "csv-parse/sync";
import { beforeAll, describe, expect, it } from "vitest";
import { ended, ensureBuilt, spawnMurmur } from "./built-binary.ts";
import { murmur, temporaryFolder } from "./memory-edge.ts";

const BENCH = `title: "Small | tiny"
base:
  task: { dataset: mnist, partition: { kind: drawn, perDevice: 20 }, model: softmax }
  fleet: { devices: 40, dropout: 0 }
  train: { epochs: 1, batch: 10, lr: 0.1 }
  algorithm: { kind: fedavg, weight: uniform }
  round: { count: 3, cohort: 20, overSelection: 1, evaluateEvery: 1 }
  secagg: { fidelity: "off" }
  privacy: { delta: 0.00001, clip: 0.5, sampling: 0.5 }
grid:
  mechanism: [central]
  epsilon: [none, 2]
seeds: [1, 2]
baselines: [chance]
quick: { seeds: [7] }
`;

function folderWith(text: string): string {
  const cwd = temporaryFolder();
  writeFileSync(join(cwd, "bench.yaml"), text);
  return cwd;
}

describe("murmur bench --dry-run", () => {
  it("lists the cells, and writes nothing", async () => {
    const cwd = folderWith(BENCH);
    const { exitCode, stdout, stderr } = await murmur(["bench", "bench.yaml", "--dry-run"], { cwd });
    expect([exitCode, stderr]).toEqual([0, ""]);
    expect(stdout).toContain("Small | tiny");
    expect(stdout).toMatch(/^central Gaussian, without noise, 40 devices +1, 2$/m);
    expect(stdout).toMatch(/^central Gaussian, ε = 2, 40 devices +1, 2$/m);
    expect(stdout).toMatch(/^4 cells, into runs\/bench-[0-9a-f]{8}$/m);
    expect(readdirSync(cwd)).toEqual(["bench.yaml"]);
  });

  it("gives them as data, with --quick fewer, in a folder that is named after what is measured", async () => {
    const cwd = folderWith(BENCH);
    const planOf = async (...args: string[]) =>
      JSON.parse((await murmur(["bench", "bench.yaml", "--dry-run", "--format", "json", ...args], { cwd })).stdout);
    const whole = await planOf();
    expect(whole.cells).toHaveLength(4);
    expect(whole.cells[3]).toMatchObject({ mechanism: "central", epsilon: 2, population: 40, sampling: 0.5, seed: 2 });
    const quick = await planOf("--quick");
    expect(quick.cells.map(({ seed }: { seed: number }) => seed)).toEqual([7, 7]);
    expect(quick.folder).not.toBe(whole.folder);
    expect((await planOf()).folder).toBe(whole.folder);
    expect((await planOf("--out", "there")).folder).toBe(join(cwd, "there"));
  });

  it("knows the benchmark that runs when none is named", async () => {
    const { exitCode, stdout } = await murmur(["bench", "--dry-run"], { cwd: temporaryFolder() });
    expect(exitCode).toBe(0);
    expect(stdout).toContain("Privacy against accuracy: MNIST on 1,000 devices");
  });
});

describe("a benchmark file with mistakes", () => {
  async function refusal(text: string): Promise<string> {
    const cwd = folderWith(text);
    const { exitCode, stdout, stderr } = await murmur(["bench", "bench.yaml"], { cwd });
    expect([exitCode, stdout]).toEqual([3, ""]);
    expect(readdirSync(cwd)).toEqual(["bench.yaml"]);
    return stderr;
  }

  it("is told all of them, with their lines, and what was probably meant", async () => {
    const stderr = await refusal(BENCH.replace("epsilon: [none, 2]", "epsilon: [none, 0]").replace("seeds:", "seads:"));
    expect(stderr).toContain("2 problems");
    expect(stderr).toContain("bench.yaml:12: grid.epsilon.1: must be more than 0, got 0");
    expect(stderr).toContain('bench.yaml:13: seads: there is no such key; did you mean "seeds"?');
    expect(stderr).toContain("examples/privacy-frontier.yaml");
  });

  it("is told which mechanisms there are", async () => {
    expect(await refusal(BENCH.replace("[central]", "[central, centrl]"))).toMatch(
      /bench\.yaml:11: grid\.mechanism\.1: must be one of central, .*got "centrl"; did you mean "central"\?/,
    );
  });

  it("is told a mistake of the configuration that its cells share by the line where it stands", async () => {
    expect(await refusal(BENCH.replace("round:", "roun:"))).toContain(
      'bench.yaml:7: base.roun: there is no such key; did you mean "round"?',
    );
    expect(await refusal(BENCH.replace("lr: 0.1", "lr: fast"))).toContain(
      'bench.yaml:5: base.train.lr: expected a number, got "fast"',
    );
  });

  it("is told which cell cannot be where only that one cannot", async () => {
    const override = "overrides:\n  - when: { epsilon: 2 }\n    set: { train: { lr: fast } }\n";
    const stderr = await refusal(BENCH + override);
    expect(stderr).toContain('The cell "central ε = 2, 40 devices, seed 1": train.lr: expected a number');
    expect(stderr).not.toContain("bench.yaml:5");
  });

  it("is told where it is no YAML, and where there is none", async () => {
    expect(await refusal("title: [\n")).toMatch(/bench\.yaml:\d+:\d+/);
    const { exitCode, stderr } = await murmur(["bench", "absent.yaml"], { cwd: temporaryFolder() });
    expect(exitCode).toBe(3);
    expect(stderr).toContain("absent.yaml is not there");
  });
});

describe("murmur bench, from its start to its report", () => {
  beforeAll(ensureBuilt);

  it("goes on after an interruption with what is not finished, and writes the report and its figures", async () => {
    const cwd = folderWith(BENCH);
    const args = ["bench", "bench.yaml", "--workers", "1", "--out", "out"];
    const first = spawnMurmur(args, cwd);
    first.stderr.setEncoding("utf8").once("data", () => first.kill("SIGINT"));
    const stopped = await ended(first);
    expect(stopped.exitCode).toBe(130);
    expect(stopped.stdout).toBe("");
    expect(stopped.stderr).toMatch(/stopped: [123] of 4 cells are kept in out; the same command goes on with the rest/);
    const kept = readdirSync(join(cwd, "out", "cells")).filter((name) => name.endsWith(".json"));
    expect(kept.length).toBeGreaterThan(0);
    expect(kept.length).toBeLessThan(4);
    const before = kept.map((name) => readFileSync(join(cwd, "out", "cells", name), "utf8"));

    const { exitCode, stdout } = await ended(spawnMurmur(args, cwd));
    expect(exitCode).toBe(0);
    // How long a cell took is in its result: it was not run a second time.
    expect(kept.map((name) => readFileSync(join(cwd, "out", "cells", name), "utf8"))).toEqual(before);
    expect(stdout).toContain("out/report.html");
    expect(stdout).toContain("reproduce  murmur bench bench.yaml");

    const read = (name: string) => readFileSync(join(cwd, "out", name), "utf8");
    const report = JSON.parse(read("bench.json"));
    expect(report).toMatchObject({ schema: "murmuration/privacy-report/1", command: "murmur bench bench.yaml" });
    expect(report.cells.map((cell: { seeds: unknown[] }) => cell.seeds.length)).toEqual([2, 2]);
    expect(report.stamps).toContain("CRYPTO-OFF");
    const cells = parse(read("cells.csv"), { columns: true }) as Record<string, string>[];
    expect(cells.map(({ epsilon_target, seed }) => [epsilon_target, seed])).toEqual([
      ["", "1"],
      ["", "2"],
      ["2", "1"],
      ["2", "2"],
    ]);
    expect(Number(cells[2].epsilon)).toBeLessThanOrEqual(2);
    expect(Number(cells[2].epsilon_unamplified)).toBeGreaterThan(2);
    const rounds = parse(read("rounds.csv"), { columns: true }) as Record<string, string>[];
    expect(rounds).toHaveLength(12);
    expect(Number(rounds[2].accuracy)).toBe(Number(cells[0].accuracy));
    expect(read("report.md")).toMatch(/^# Small \\\| tiny\n/);
    expect(read("report.md")).toContain("ε of the mechanism (simulation): ε = 2 at δ = 0.00001");
    const html = read("report.html");
    expect(html).toMatch(/^<!doctype html>/);
    expect(html.match(/<svg/g)).toHaveLength(4);
    expect(html).not.toMatch(/https?:|<script|NaN|undefined/);
  });

  it("says what is not there that every cell needs, and writes no report", async () => {
    const cwd = folderWith(BENCH.replace("model: softmax", "model: ./absent.mjs"));
    const args = ["bench", "bench.yaml", "--workers", "1", "--out", "out"];
    const { exitCode, stdout, stderr } = await ended(spawnMurmur(args, cwd));
    expect([exitCode, stdout]).toEqual([3, ""]);
    expect(stderr).toContain(`The model module ${join(cwd, "absent.mjs")} is not there.`);
    expect(readdirSync(join(cwd, "out"))).not.toContain("report.html");
  });
});
