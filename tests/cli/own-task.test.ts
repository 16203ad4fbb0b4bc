import { appendFileSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { seededRandom } from "../../shared/random/seeded-random.ts";
import { type CommandOutcome, murmur, temporaryFolder } from "./memory-edge.ts";

/** Two clouds of points that a line divides, owned by ten people. */
function points(): string {
  const random = seededRandom(1, "points");
  const rows = Array.from({ length: 400 }, (_, i) => {
    const side = i % 2 === 0 ? -1 : 1;
    return `${side + random.normal()},${-side + random.normal()},person ${i % 10},${side < 0 ? "left" : "right"}`;
  });
  return `x,y,owner,side\n${rows.join("\n")}\n`;
}

const MODEL = `export const model = ({ inputShape, outputs }) => ({
  name: "line",
  inputShape,
  outputs,
  loss: "softmaxCrossEntropy",
  createModel: (tf) => tf.sequential({ layers: [tf.layers.dense({ name: "line", units: outputs, inputShape })] }),
});
`;

const CONFIG = {
  task: {
    dataset: { kind: "csv", file: "points.csv", label: "side", numeric: ["x", "y"], key: "owner" },
    partition: { kind: "natural" },
    model: "./line.mjs",
  },
  fleet: { devices: 10, dropout: 0 },
  round: { count: 2, cohort: 6, overSelection: 1, minCohort: 4 },
  secagg: { minHonest: 2 },
  serve: { selection: "3s", port: 0 },
};

/** The configuration and its files in a folder of their own, inside the one that commands are called in. */
function ownTask(): string {
  const cwd = temporaryFolder();
  writeFileSync(join(cwd, "points.csv"), points());
  writeFileSync(join(cwd, "line.mjs"), MODEL);
  writeFileSync(join(cwd, "own.yaml"), JSON.stringify(CONFIG));
  return cwd;
}

describe("a run on data and with a model of one's own", () => {
  it("learns, can be verified, and is refused once a file of it has changed", async () => {
    const cwd = ownTask();
    const ran = await murmur(["run", join(cwd, "own.yaml"), "--format", "json", "-q", "-o", join(cwd, "runs")]);
    expect(ran.stderr).toBe("");
    const result = JSON.parse(ran.stdout);
    expect(result.accuracy).toBeGreaterThan(0.85);

    const { dataset, model } = parse(readFileSync(join(cwd, "runs", result.run, "config.lock.yaml"), "utf8")).task;
    expect([dataset.file, model]).toEqual([join(cwd, "points.csv"), join(cwd, "line.mjs")]);
    const { stamp } = JSON.parse(readFileSync(join(cwd, "runs", result.run, "run.json"), "utf8"));
    expect(stamp.modules).toEqual([{ role: "model", path: model, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) }]);
    expect(stamp.dataset).toMatchObject({ inputShape: [2], labels: "classes", outputs: 2 });

    expect((await murmur(["verify", result.run], { cwd })).stdout).toContain("bit for bit");
    expect((await murmur(["list"], { cwd })).stdout).toContain("csv points.csv line.mjs");

    appendFileSync(join(cwd, "line.mjs"), "// changed\n");
    const verified = await murmur(["verify", result.run, "--format", "json"], { cwd });
    expect(JSON.parse(verified.stdout)).toMatchObject({
      name: "input-changed",
      message: `The model module ${join(cwd, "line.mjs")} has changed since the run was started.`,
    });
    writeFileSync(join(cwd, "line.mjs"), MODEL);
    appendFileSync(join(cwd, "points.csv"), "0,0,person 1,left\n");
    const again = await murmur(["verify", result.run, "--format", "json"], { cwd });
    expect(JSON.parse(again.stdout)).toMatchObject({
      name: "input-changed",
      message: "The dataset points.csv has changed since the run was started.",
    });
  });

  it("may predict numbers, which have a loss and no accuracy", async () => {
    const cwd = temporaryFolder();
    const random = seededRandom(2, "prices");
    const rows = Array.from({ length: 200 }, () => {
      const [x, y] = [random.normal(), random.normal()];
      return `${x},${y},${10 + 3 * x - 2 * y}`;
    });
    writeFileSync(join(cwd, "prices.csv"), `x,y,price\n${rows.join("\n")}\n`);
    const dataset = { kind: "csv", file: "prices.csv", targets: ["price"], numeric: ["x", "y"] };
    const { serve: _, ...rest } = CONFIG;
    const train = { lr: 0.1, epochs: 5, batch: 5 };
    const round = { ...CONFIG.round, count: 4 };
    const task = { dataset, model: "linear" };
    const config = { ...rest, task, train, round, quantise: { range: 8 }, thresholds: ["loss < 0.1"] };
    writeFileSync(join(cwd, "own.yaml"), JSON.stringify(config));
    const ran = await murmur(["run", "own.yaml"], { cwd });
    expect(ran.exitCode).toBe(0);
    expect(ran.stdout).toMatch(/^test loss {2}0\.0\d\d after 4 rounds/m);
    expect(ran.stdout).not.toContain("accuracy");
  });

  it("that was stopped is not resumed with another module, and nothing in it changes", async () => {
    const cwd = ownTask();
    const config = ["--set", "round.count=3"];
    let stopped = false;
    const first = await murmur(["run", "own.yaml", ...config], {
      cwd,
      onOutput(text, process) {
        if (!stopped && text.includes("round 1/3")) process.signal("SIGINT");
        stopped ||= text.includes("round 1/3");
      },
    });
    expect(first.exitCode).toBe(130);
    appendFileSync(join(cwd, "line.mjs"), "// changed\n");
    const refused = await murmur(["run", "--resume", "--format", "json"], { cwd });
    expect(JSON.parse(refused.stdout).name).toBe("input-changed");
    writeFileSync(join(cwd, "line.mjs"), MODEL);
    expect((await murmur(["run", "--resume", "-q"], { cwd })).exitCode).toBe(0);
  });

  it("goes wrong with a sentence and a hint, and leaves no run behind", async () => {
    const cwd = ownTask();
    writeFileSync(join(cwd, "line.mjs"), MODEL.replace("units: outputs", "units: 3"));
    const { exitCode, stderr } = await murmur(["run", "own.yaml"], { cwd });
    expect(exitCode).toBe(3);
    expect(stderr).toMatch(/error: The model of .*line\.mjs failed: .*\nhint: /);
    expect(stderr).not.toContain("    at ");
    expect(readdirSync(join(cwd, "runs"))).toEqual([]);
  });
});

/** The join token of the run that is served from a folder. */
function tokenOf(cwd: string): string {
  const [run] = readdirSync(join(cwd, "runs"));
  return JSON.parse(readFileSync(join(cwd, "runs", run, "serve.json"), "utf8")).joinToken;
}

describe("devices that join a run on data and with a model of one's own", { timeout: 60_000 }, () => {
  const floors = ["--min-cohort", "4", "--min-honest", "2"];

  /** Serves the configuration in `cwd`, and has devices join it once it listens. */
  async function joined(cwd: string, join: (url: string) => Promise<CommandOutcome>) {
    let address: (url: string) => void = () => undefined;
    const listening = new Promise<string>((resolve) => {
      address = resolve;
    });
    let stop: () => void = () => undefined;
    const served = murmur(["serve", "own.yaml", "--format", "json"], {
      cwd,
      onOutput(text, process) {
        stop = () => process.signal("SIGINT");
        const url = /http:\/\/127\.0\.0\.1:\d+/.exec(text)?.[0];
        if (url !== undefined) address(url);
      },
    });
    const devices = await join(await listening);
    if (devices.exitCode !== 0) stop();
    return { devices, served: await served };
  }

  it("find both in the run's folder, where they are on the coordinator's machine", async () => {
    const cwd = ownTask();
    const { devices, served } = await joined(cwd, (url) =>
      murmur(["join", url, "--devices", "10", ...floors], { cwd }),
    );
    expect(devices.stderr).not.toContain("error");
    expect(JSON.parse(served.stdout)).toMatchObject({ status: "done", rounds: 2 });
    expect(JSON.parse(served.stdout).accuracy).toBeGreaterThan(0.85);
  });

  it("may be given the model alone, where the data has a name that everybody knows", async () => {
    const cwd = ownTask();
    const config = {
      ...CONFIG,
      task: { dataset: "blobs", model: "./pixels.mjs" },
      round: { ...CONFIG.round, count: 1 },
    };
    writeFileSync(join(cwd, "own.yaml"), JSON.stringify(config));
    const layers = `tf.layers.flatten({ name: "pixels", inputShape }), tf.layers.dense({ name: "line", units: outputs })`;
    writeFileSync(join(cwd, "pixels.mjs"), MODEL.replace(/tf\.layers\.dense\(.*?\}\)/, layers));
    const elsewhere = temporaryFolder();
    const { devices } = await joined(cwd, (url) =>
      murmur(["join", url, "--devices", "10", "--format", "json", ...floors, "--model", join(cwd, "pixels.mjs")], {
        cwd: elsewhere,
        env: { MURMUR_JOIN_TOKEN: tokenOf(cwd) },
      }),
    );
    expect(JSON.parse(devices.stdout)).toMatchObject({ status: "finished", rounds: 1 });
  });

  it("are given both elsewhere, and refused without, or with others", async () => {
    const elsewhere = ownTask();
    const attempt = async (...args: string[]) => {
      const cwd = ownTask();
      const { devices } = await joined(cwd, (url) =>
        murmur(["join", url, "--devices", "10", "--format", "json", ...floors, ...args], {
          cwd: elsewhere,
          env: { MURMUR_JOIN_TOKEN: tokenOf(cwd) },
        }),
      );
      return JSON.parse(devices.stdout);
    };
    expect(await attempt("--config", "own.yaml")).toMatchObject({ status: "finished" });
    expect(await attempt()).toMatchObject({ name: "device-refused", hint: expect.stringContaining("--config") });
    appendFileSync(join(elsewhere, "line.mjs"), "// changed\n");
    expect(await attempt("--config", "own.yaml")).toMatchObject({
      name: "device-refused",
      message: expect.stringContaining("line.mjs is not the coordinator's"),
    });
  });
});
