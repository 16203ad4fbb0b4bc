import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { runConfigSchema } from "../../simulations/experiments/config.ts";
import { murmur, temporaryFolder } from "./memory-edge.ts";

function folderWith(yaml: string): string {
  const cwd = temporaryFolder();
  writeFileSync(join(cwd, "config.yaml"), yaml);
  return cwd;
}

async function failure(yaml: string, ...flags: string[]) {
  const outcome = await murmur(["config", "print", "config.yaml", ...flags, "--format", "json"], {
    cwd: folderWith(yaml),
  });
  return {
    exitCode: outcome.exitCode,
    ...(JSON.parse(outcome.stdout) as { name: string; message: string; hint: string }),
  };
}

describe("a configuration with a mistake", () => {
  it.each([
    ["round: { deadlin: 30s }", 'config.yaml:1: round.deadlin: there is no such key; did you mean "deadline"?'],
    ["seed: 1\ndevices: 10", 'config.yaml:2: devices: there is no such key here; did you mean "fleet.devices"?'],
    ["task: { model: 2n }", 'or the path of a module, .js or .mjs; got "2n"; did you mean "2nn"?'],
    ["task: { model: ./own.ts }", "task.model: must be one of softmax, 2nn, cnn, "],
    [
      "task: { dataset: mnits }",
      'or a section with a kind: fashion-mnist, idx, csv, text or module; got "mnits"; did you',
    ],
    [
      "task: { dataset: { kind: cvs } }",
      'task.dataset.kind: must be one of fashion-mnist, idx, csv, text, module; got "cvs"',
    ],
    ["task: { dataset: { kind: idx, foldr: a } }", "task.dataset.folder: is missing"],
    [
      "task: { dataset: { kind: idx, folder: a, foldr: a } }",
      'task.dataset.foldr: there is no such key; did you mean "folder"?',
    ],
    ["task: { dataset: { kind: csv, file: a.csv } }", "task.dataset: name either a label or targets"],
    ["task: { dataset: { kind: csv, file: a, label: b, test: 2 } }", "task.dataset.test: must be at most 1, got 2"],
    [
      "task: { partition: { kind: shard } }",
      'must be one of iid, shards, dirichlet, drawn, quantity, natural; got "shard"; did you mean "shards"?',
    ],
    ["task: { partition: { kind: shards, perDevise: 2 } }", 'did you mean "perDevice"?'],
    ["task: { partition: { kind: iid, alpha: 1 } }", "there is no such key"],
    ["seed: -1", "seed: must be at least 0, got -1"],
    ["seed: many", 'seed: expected a whole number, got "many"'],
    ["fleet: { devices: 1.5 }", "fleet.devices: expected a whole number, got 1.5"],
    ["train: { lr: 0 }", "train.lr: must be more than 0, got 0"],
    ["round: { deadline: 30 }", "round.deadline: expected text, got 30"],
    ["round: { deadline: soon }", 'round.deadline: write a duration with its unit, such as "30s"'],
    ["algorithm: { kind: fedadm }", 'fedadagrad, module; got "fedadm"; did you mean "fedadam"?'],
    ["algorithm: { mu: 0.1 }", "there is no such key"],
    ["algorithm: { kind: fedadam, beta1: 1 }", "algorithm.beta1: must be less than 1, got 1"],
    ["algorithm: { kind: scaffold, weight: examples }", "there is no such key"],
    ["algorithm: { kind: fedprox, mu: -1 }", "algorithm.mu: must be at least 0, got -1"],
    ["train: { optimizer: { kind: adam, epsilon: 0 } }", "train.optimizer.epsilon: must be more than 0, got 0"],
    ["train: { optimizer: { kind: sgd, momentum: 0.9 } }", "there is no such key"],
    ['thresholds: ["accurracy >= 0.9"]', 'write a threshold such as "accuracy >= 0.90"'],
    ["version: 2", "version: must be 1; got 2"],
    ["- 1", "expected keys and values"],
    ["a: [1", "config.yaml:1:"],
    ["seed: 1\nseed: 2", "config.yaml:2:"],
  ])("says what is wrong in %j", async (yaml, message) => {
    const error = await failure(yaml);
    expect(error.exitCode).toBe(3);
    expect(error.name).toBe("config-invalid");
    expect(error.message).toContain(message);
  });

  it("lists every problem with its line, not only the first", async () => {
    const { message } = await failure("seed: x\ntrain:\n  lr: -1\n");
    expect(message).toContain("2 problems");
    expect(message).toContain("config.yaml:1: seed");
    expect(message).toContain("config.yaml:3: train.lr");
  });

  it("names the flag where a flag is the mistake", async () => {
    expect((await failure("", "--set", "train.lr=-1")).message).toContain("--set: train.lr: must be more than 0");
    expect((await failure("", "--set", "train.lrr=1")).message).toContain('did you mean "train.lr"?');
    expect((await failure("", "--set", "__proto__.x=1")).exitCode).toBe(3);
    expect((await failure("", "--set", "count=1")).message).toContain('did you mean "round.count"?');
    expect((await failure("", "--set", "nonsense")).exitCode).toBe(2);
  });

  it("says so when the file is not there, or is a folder", async () => {
    const cwd = temporaryFolder();
    mkdirSync(join(cwd, "folder"));
    for (const name of ["missing.yaml", "folder"]) {
      const { exitCode, stderr } = await murmur(["run", name], { cwd });
      expect(exitCode).toBe(3);
      expect(stderr).toContain(name);
      expect(stderr).toContain("murmur init");
    }
  });
});

describe("a configuration that contradicts itself", () => {
  it.each([
    ["fleet: { devices: 10 }", "cohort-impossible", "round.cohort wants 20 devices"],
    ["fleet: { devices: 22 }", "cohort-impossible", "invites 26 devices"],
    ["round: { minCohort: 27 }", "cohort-impossible", "at least 27 survivors"],
    ["secagg: { corrupted: 0.4 }", "cohort-impossible", "cannot be protected"],
    ["secagg: { dropout: 0.9 }", "cohort-impossible", "cannot be protected"],
    ["secagg: { minHonest: 16 }", "cohort-impossible", "secagg.minHonest wants 16"],
    [
      "round: { cohort: 1, overSelection: 1, minCohort: 1 }\nsecagg: { minHonest: 1 }",
      "cohort-impossible",
      "at least 3 devices",
    ],
    ["secagg: { bits: 16 }", "ring-too-narrow", "bits are needed"],
    [
      "algorithm: { kind: scaffold }\ntrain: { optimizer: { kind: momentum } }",
      "config-invalid",
      "defined for plain SGD",
    ],
    ["algorithm: { kind: scaffold }\ntrain: { gradientClip: 1 }", "config-invalid", "shortens gradients"],
    ["algorithm: { kind: scaffold }\ntrain: { clip: 1 }", "config-invalid", "by the norm of both"],
    ["secagg: { mode: plaintext }", "plaintext-undeclared", "would see every device's update"],
    ["secagg: { level: active-server }", "authority-missing", "no enrolment authority"],
  ])("refuses %j as %s, with a remedy", async (yaml, name, message) => {
    const error = await failure(yaml);
    expect(error.exitCode).toBe(3);
    expect(error.name).toBe(name);
    expect(error.message).toContain(message);
    expect(error.hint).not.toBe("");
  });

  it("refuses before a run leaves anything behind", async () => {
    const cwd = folderWith("secagg: { bits: 16 }");
    expect((await murmur(["run", "config.yaml"], { cwd })).exitCode).toBe(3);
    expect((await murmur(["list"], { cwd })).stdout).toContain("no runs");
  });

  it("accepts plaintext that is declared insecure", async () => {
    const cwd = folderWith("secagg: { mode: plaintext, insecure: true }");
    expect((await murmur(["config", "check", "config.yaml"], { cwd })).exitCode).toBe(0);
  });
});

describe("config check", () => {
  it("lists problems as data and exits 3", async () => {
    const cwd = folderWith("seed: x\nfleet: { device: 3 }");
    const { exitCode, stdout } = await murmur(["config", "check", "config.yaml", "--format", "json"], { cwd });
    expect(exitCode).toBe(3);
    const { ok, problems } = JSON.parse(stdout);
    expect(ok).toBe(false);
    expect(problems.map(({ path, origin }: { path: string; origin: string }) => [path, origin])).toEqual([
      ["seed", "config.yaml:1"],
      ["fleet.device", "config.yaml:2"],
    ]);
  });
});

describe("precedence", () => {
  const yaml = "seed: 1\nround:\n  count: 2\n";

  it("is flag over environment over file over default, and --origin says which", async () => {
    const cwd = folderWith(yaml);
    const env = { MURMUR_SEED: "5", MURMUR_SET: "train.lr=0.5; round.cohort=18", MURMUR_CONFIG: "config.yaml" };
    const args = ["config", "print", "--origin", "--seed", "9", "--set", "round.cohort=17", "--format", "json"];
    const { stdout } = await murmur(args, { cwd, env });
    const rows: { path: string; value: unknown; origin: string }[] = JSON.parse(stdout);
    const row = (path: string) => rows.find((entry) => entry.path === path);
    expect(row("seed")).toEqual({ path: "seed", value: 9, origin: "--seed" });
    expect(row("round.cohort")).toEqual({ path: "round.cohort", value: 17, origin: "--set" });
    expect(row("train.lr")).toEqual({ path: "train.lr", value: 0.5, origin: "MURMUR_SET" });
    expect(row("round.count")).toEqual({ path: "round.count", value: 2, origin: "config.yaml:3" });
    expect(row("round.deadline")).toEqual({ path: "round.deadline", value: "30s", origin: "default" });
  });

  it("types --set by the schema", async () => {
    const settings = [
      "population=007",
      "secagg.insecure=true",
      "round.deadline=2min",
      'thresholds=["rounds >= 1"]',
      "task.partition.kind=dirichlet",
    ];
    const args = ["config", "print", ...settings.flatMap((setting) => ["--set", setting]), "--format", "json"];
    const config = JSON.parse((await murmur(args)).stdout);
    expect(config.population).toBe("007");
    expect(config.secagg.insecure).toBe(true);
    expect(config.round.deadline).toBe("2min");
    expect(config.thresholds).toEqual(["rounds >= 1"]);
    expect(config.task.partition).toEqual({ kind: "dirichlet", alpha: 0.5 });
  });

  it("lets another kind of partition replace the file's with its values", async () => {
    const cwd = folderWith("task: { partition: { kind: shards, perDevice: 3 } }");
    const args = ["config", "print", "config.yaml", "--set", "task.partition.kind=iid", "--format", "json"];
    expect(JSON.parse((await murmur(args, { cwd })).stdout).task.partition).toEqual({ kind: "iid" });
  });
});

describe("the resolved configuration", () => {
  it("resolves to itself", async () => {
    const { stdout } = await murmur(["config", "print"]);
    const again = await murmur(["config", "print", "config.yaml"], { cwd: folderWith(stdout) });
    expect(again.stdout).toBe(stdout);
  });

  it("finds the authority from where the file is", async () => {
    const cwd = temporaryFolder();
    mkdirSync(join(cwd, "sub"));
    writeFileSync(join(cwd, "sub", "config.yaml"), "secagg: { level: active-server, authority: keys }");
    const { stdout } = await murmur(["config", "print", "sub/config.yaml", "--format", "json"], { cwd });
    expect(JSON.parse(stdout).secagg.authority).toBe(join(cwd, "sub", "keys"));
  });

  it("is described by the schema that editors read", async () => {
    const schema = JSON.parse((await murmur(["config", "schema"])).stdout);
    expect(schema.properties.round.properties.deadline.type).toBe("string");
    expect(schema.additionalProperties).toBe(false);
    expect(schema.required).toBeUndefined();
  });
});

describe("init", () => {
  it("writes a configuration that is valid and means the defaults", async () => {
    const cwd = temporaryFolder();
    const { exitCode, stdout } = await murmur(["init", "new"], { cwd });
    expect(exitCode).toBe(0);
    expect(stdout).toContain("murmur run new/config.yaml");
    const text = readFileSync(join(cwd, "new", "config.yaml"), "utf8");
    expect(text).toMatch(/^# yaml-language-server: \$schema=\.\/murmur\.schema\.json\n/);
    expect(runConfigSchema.parse(parse(text))).toEqual(runConfigSchema.parse({}));
    expect((await murmur(["config", "check", "new/config.yaml"], { cwd })).exitCode).toBe(0);
  });

  it("writes what was set", async () => {
    const cwd = temporaryFolder();
    await murmur(["init", "--set", "task.partition.kind=shards", "--seed", "7"], { cwd });
    const config = parse(readFileSync(join(cwd, "config.yaml"), "utf8"));
    expect(config.seed).toBe(7);
    expect(config.task.partition).toEqual({ kind: "shards", perDevice: 2 });
  });

  it("never overwrites without --force", async () => {
    const cwd = folderWith("seed: 1 # mine");
    const { exitCode, stderr } = await murmur(["init"], { cwd });
    expect(exitCode).toBe(2);
    expect(stderr).toContain("nothing was written");
    expect(readFileSync(join(cwd, "config.yaml"), "utf8")).toBe("seed: 1 # mine");
    expect((await murmur(["init", "--force"], { cwd })).exitCode).toBe(0);
    expect(readFileSync(join(cwd, "config.yaml"), "utf8")).not.toContain("mine");
  });

  it("only says what it would write with --dry-run", async () => {
    const cwd = temporaryFolder();
    expect((await murmur(["init", "new", "--dry-run"], { cwd })).stdout).toContain("would write new/config.yaml");
    expect((await murmur(["config", "check", "new/config.yaml"], { cwd })).exitCode).toBe(3);
  });
});
