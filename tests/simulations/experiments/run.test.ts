import { createHash } from "node:crypto";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "libsql";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openRunReader } from "../../../server/store/run-reader.ts";
import { openRunStore } from "../../../server/store/run-store.ts";
import { cryptoProvider } from "../../../shared/crypto/node-provider.ts";
import { cryptoProvider as portableProvider } from "../../../shared/crypto/portable-provider.ts";
import type { RunEvent } from "../../../shared/protocol/events.ts";
import { createAuthority } from "../../../simulations/experiments/authority-folder.ts";
import { type PlayedRun, type PlayOptions, playRun, smallConfig, temporaryFolder, verify } from "./run-fixtures.ts";

const isRoundDone = (event: RunEvent, round: number) => event.type === "round.done" && event.p.round === round;

/** Stops after the round of that number is committed. */
const stopAfter = (round: number): PlayOptions => ({
  onEvent: (event) => (isRoundDone(event, round) ? "after-round" : undefined),
});

/** Abandons a round in the middle of an exchange. */
const stopWithin = (round: number, stage: string): PlayOptions => ({
  onEvent: (event) =>
    event.type === "round.stage" && event.round === round && event.p.stage === stage ? "now" : undefined,
});

/** One run to its end, for the tests that compare with it or only look at it. */
let finished: PlayedRun;
beforeAll(async () => {
  const folder = join(mkdtempSync(join(tmpdir(), "murmur-run-")), "run");
  finished = await playRun(smallConfig(), { folder });
});
afterAll(() => rmSync(join(finished.folder, ".."), { recursive: true, force: true }));

function weightsOf(folder: string): Buffer {
  return readFileSync(join(folder, "model.f32"));
}

describe("a model that the engine cannot train", () => {
  const MODEL = `export const model = {
    name: "enlarged",
    inputShape: [28, 28, 1],
    outputs: 10,
    loss: "softmaxCrossEntropy",
    createModel: (tf) => tf.sequential({ layers: [
      tf.layers.averagePooling2d({ name: "small", poolSize: 7, inputShape: [28, 28, 1] }),
      tf.layers.upSampling2d({ name: "large", size: [2, 2] }),
      tf.layers.flatten({ name: "flat" }),
      tf.layers.dense({ name: "logits", units: 10 }),
    ] }),
  };`;
  const configFor = (train: Parameters<typeof smallConfig>[0] & object) => {
    const model = join(temporaryFolder(), "enlarged.mjs");
    writeFileSync(model, MODEL);
    return smallConfig({ ...train, task: { model }, round: { count: 1 } });
  };

  it("is trained by the fallback: the run's log and its record say so, and it can be verified", async () => {
    const { events, folder } = await playRun(configFor({ train: { fallback: "tfjs" } }));
    const logged = events.flatMap((event) => (event.type === "log" ? [event.p] : []));
    expect(logged).toContainEqual({
      level: "warn",
      text: expect.stringMatching(/ResizeNearestNeighbor .*layer "large".* engine tfjs trains it/),
    });
    expect(openRunReader(folder).meta()?.stamp.engine).toBe("tfjs");
    expect(await verify(folder)).toMatchObject({ matches: true, comparison: "tolerance" });
  });

  it("ends the run before it begins where there is no fallback", async () => {
    await expect(playRun(configFor({}))).rejects.toMatchObject({ name: "model-untraceable" });
  });
});

describe("the same seed", () => {
  it("gives the same parameters, byte for byte, whatever secrets are drawn and whoever computes them", async () => {
    const config = smallConfig();
    const one = finished;
    const two = await playRun(config);
    const portable = await playRun(config, { provider: portableProvider });
    expect(one.result).toMatchObject({ ok: true, status: "done", rounds: 3, secagg: { exact: true } });
    expect(weightsOf(two.folder)).toEqual(weightsOf(one.folder));
    expect(weightsOf(portable.folder)).toEqual(weightsOf(one.folder));
    expect(two.result.drops).toEqual(one.result.drops);
    expect(two.result.bytes).toEqual(one.result.bytes);
  });

  it("another seed gives others", async () => {
    const { folder } = await playRun(smallConfig({ seed: 43 }));
    expect(weightsOf(folder)).not.toEqual(weightsOf(finished.folder));
  });

  it("gives the same parameters without masks: masking changes no bit of the sum", async () => {
    const masked = await playRun(smallConfig({ fleet: { dropout: 0 } }));
    const secagg = { mode: "plaintext", insecure: true } as const;
    const plain = await playRun(smallConfig({ fleet: { dropout: 0 }, secagg }));
    expect(weightsOf(plain.folder)).toEqual(weightsOf(masked.folder));
    expect(plain.result.secagg).toMatchObject({ level: "none", claim: null });
    const [started] = plain.events;
    expect(started).toMatchObject({ p: { summary: { protection: "plaintext", stamps: ["INSECURE-PLAINTEXT"] } } });
  });
});

describe("a run that is stopped", () => {
  it("between rounds and resumed ends with the parameters of one that was not", async () => {
    const config = smallConfig();
    const stopped = await playRun(config, stopAfter(1));
    expect(stopped.result).toMatchObject({ status: "interrupted", rounds: 1, ok: false });
    const resumed = await playRun(config, { folder: stopped.folder, resume: true });
    expect(resumed.result).toMatchObject({ status: "done", rounds: 3, ok: true });
    expect(weightsOf(resumed.folder)).toEqual(weightsOf(finished.folder));
    expect(resumed.events[0]).toMatchObject({ type: "run.resumed", p: { spent: [] } });
  });

  it.each(["train", "mask", "unmask"])("now, during %s, abandons the round and can be resumed", async (stage) => {
    const config = smallConfig();
    const stopped = await playRun(config, stopWithin(2, stage));
    expect(stopped.result).toMatchObject({ status: "interrupted", rounds: 1, secagg: { abandoned: 0 } });
    expect(stopped.events.filter(({ type }) => type === "round.abandoned")).toMatchObject([
      { round: 2, p: { reason: "stopped", stage } },
    ]);
    const resumed = await playRun(config, { folder: stopped.folder, resume: true });
    expect(resumed.result).toMatchObject({ status: "done", rounds: 3, secagg: { exact: true } });
    // The number of the abandoned round is spent: the model goes on from round 3.
    const rounds = resumed.events.flatMap((event) => (event.type === "round.done" ? [event.round] : []));
    expect(rounds).toEqual([3, 4]);
    expect(await verify(resumed.folder)).toMatchObject({ matches: true, rounds: 3, comparison: "bit-exact" });
  });

  it("is not resumed with another configuration, and nothing in it changes", async () => {
    const stopped = await playRun(smallConfig(), stopAfter(1));
    const before = readFileSync(join(stopped.folder, "events.ndjson"));
    const other = playRun(smallConfig({ train: { lr: 0.2 } }), { folder: stopped.folder, resume: true });
    await expect(other).rejects.toMatchObject({ name: "config-invalid", message: /another configuration/ });
    expect(readFileSync(join(stopped.folder, "events.ndjson"))).toEqual(before);
    const again = await playRun(smallConfig(), { folder: stopped.folder, resume: true });
    expect(again.result.status).toBe("done");
  });
});

describe("what a run leaves", () => {
  it("is the events in order and whole, and the files with their hashes", () => {
    const { folder, events, result } = finished;
    const lines = readFileSync(join(folder, "events.ndjson"), "utf8").trim().split("\n");
    expect(lines.map((line) => JSON.parse(line))).toEqual(events);
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, i) => i + 1));
    expect(events[0].type).toBe("run.started");
    expect(events.at(-1)).toMatchObject({ type: "run.done", p: { status: "done", modelHash: result.modelHash } });
    for (const round of [1, 2, 3]) {
      const types = events.filter((event) => event.round === round).map(({ type }) => type);
      expect(types[0]).toBe("round.started");
      expect(types.at(-1)).toBe("round.done");
    }
    const sums = readFileSync(join(folder, "SHA256SUMS"), "utf8").trim().split("\n");
    expect(sums.map((line) => line.slice(66)).sort()).toEqual(
      ["config.lock.yaml", "events.ndjson", "metrics.csv", "model.f32", "model.json", "run.json"].sort(),
    );
    for (const line of sums) {
      const content = readFileSync(join(folder, line.slice(66)));
      expect(createHash("sha256").update(content).digest("hex")).toBe(line.slice(0, 64));
    }
    expect(createHash("sha256").update(weightsOf(folder)).digest("hex")).toBe(result.modelHash);
    expect(readdirSync(folder).filter((name) => name.endsWith(".part"))).toEqual([]);
    const metrics = readFileSync(join(folder, "metrics.csv"), "utf8").trim().split("\n");
    expect(metrics).toHaveLength(1 + 3);
    expect(JSON.parse(readFileSync(join(folder, "run.json"), "utf8"))).toMatchObject({ schema: "run/1", rounds: 3 });
  });

  it("says of a device where it is and why it left, and no figure of its own", async () => {
    const { events } = await playRun(smallConfig({ fleet: { dropout: 0.4 }, round: { overSelection: 2 } }));
    const perDevice = events.filter(({ type }) => type === "device.state" || type === "device.lost");
    expect(perDevice.some(({ type }) => type === "device.lost")).toBe(true);
    for (const event of perDevice) {
      if (event.type === "device.lost") {
        expect(Object.keys(event.p).filter((key) => key !== "detail")).toEqual(["id", "at", "reason"]);
        expect(event.p.detail ?? "").not.toMatch(/\d/);
      } else if (event.type === "device.state") {
        for (const change of event.p.changes) expect(change).toEqual([expect.any(String), expect.any(String)]);
      }
    }
  });

  it("has the drops that the seed drew, and every sum exact all the same", async () => {
    const { result, events } = await playRun(
      smallConfig({ fleet: { dropout: 0.3 }, round: { count: 6, cohort: 10, overSelection: 1.6 } }),
    );
    expect(result.drops.disconnected).toBeGreaterThan(0);
    expect(result.drops.deadline).toBeGreaterThan(0);
    expect(result.secagg.exact).toBe(true);
    const lost = events.filter(({ type }) => type === "device.lost").length;
    expect(Object.values(result.drops).reduce((sum, count) => sum + count, 0)).toBe(lost);
  });
});

describe("closeAt: goal", () => {
  it("goes on with the goal's updates, and releases whom it invited beyond them", async () => {
    const config = smallConfig({ fleet: { dropout: 0 }, round: { closeAt: "goal", count: 2 } });
    const { result, folder } = await playRun(config);
    expect(result).toMatchObject({ ok: true, rounds: 2, drops: { "over-selected": 4 } });
    const reader = openRunReader(folder);
    expect(reader.rounds().map(({ survivors }) => survivors)).toEqual([6, 6]);
    reader.close();
    expect(await verify(folder)).toMatchObject({ matches: true });
  });
});

describe("verify", () => {
  it("plays the run again and finds the same parameters", async () => {
    const { folder, result } = finished;
    const before = readdirSync(folder).map((name) => [name, readFileSync(join(folder, name)).toString("hex")]);
    expect(await verify(folder)).toMatchObject({ matches: true, rounds: 3, actualHash: result.modelHash });
    expect(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name)).toString("hex")])).toEqual(before);
  });

  it("says which round differs when the record was made with something else", async () => {
    const forged = join(temporaryFolder(), "forged");
    cpSync(finished.folder, forged, { recursive: true });
    const database = new Database(join(forged, "run.db"));
    database
      .prepare("UPDATE rounds SET record = json_set(record, '$.modelHash', ?) WHERE round = 2")
      .run("00".repeat(32));
    database.close();
    expect(await verify(forged)).toMatchObject({ matches: false, firstDifference: 2, comparison: "bit-exact" });
  });

  it("finds a checkpoint that has been changed", async () => {
    const forged = join(temporaryFolder(), "forged");
    cpSync(finished.folder, forged, { recursive: true });
    const database = new Database(join(forged, "run.db"));
    database.prepare("UPDATE checkpoints SET parameters = zeroblob(length(parameters))").run();
    database.close();
    await expect(verify(forged)).rejects.toMatchObject({ name: "store-corrupt" });
  });
});

describe("protection from an active coordinator", () => {
  function activeConfig(changes: Parameters<typeof smallConfig>[0] = {}) {
    const authority = join(temporaryFolder(), "authority");
    createAuthority(authority, cryptoProvider);
    return smallConfig({ ...changes, secagg: { level: "active-server", authority } });
  }

  it("works with an authority's folder, and says so", async () => {
    const { result, events } = await playRun(activeConfig({ round: { count: 2 } }));
    expect(result).toMatchObject({ ok: true, rounds: 2, secagg: { level: "active-server", exact: true } });
    expect(events[0]).toMatchObject({ p: { summary: { protection: "active-server" } } });
  });

  it("does not start without one", async () => {
    const config = smallConfig({ secagg: { level: "active-server", authority: "/nowhere" } });
    await expect(playRun(config)).rejects.toMatchObject({ name: "authority-missing" });
  });

  it("asks nobody twice for one model, ends when too few are left, and keeps what was committed", async () => {
    const config = activeConfig({ fleet: { devices: 9, dropout: 0 }, round: { cohort: 5 } });
    const stopped = await playRun(config, stopWithin(2, "confirm"));
    expect(stopped.result).toMatchObject({ status: "interrupted", rounds: 1 });
    const resumed = playRun(config, { folder: stopped.folder, resume: true });
    await expect(resumed).rejects.toMatchObject({ name: "model-exhausted" });
    const reader = openRunReader(stopped.folder);
    expect(reader.meta()?.status).toBe("failed");
    expect(reader.rounds().map(({ outcome, reason }) => reason ?? outcome)).toEqual([
      "committed",
      "stopped",
      "model-exhausted",
    ]);
    reader.close();
  });

  it("verifies a run whose interrupted round had taken uploads", async () => {
    const config = activeConfig({ fleet: { devices: 30, dropout: 0 }, round: { cohort: 5 } });
    const stopped = await playRun(config, stopWithin(2, "confirm"));
    const resumed = await playRun(config, { folder: stopped.folder, resume: true });
    expect(resumed.result).toMatchObject({ status: "done", rounds: 3 });
    expect(await verify(resumed.folder)).toMatchObject({ matches: true });
  });
});

describe("what cannot go on ends with its own error, and nothing is lost", () => {
  it("a ring that is too narrow", async () => {
    await expect(playRun(smallConfig({ secagg: { bits: 16 } }))).rejects.toMatchObject({
      name: "ring-too-narrow",
      hint: expect.stringMatching(/./),
    });
  });

  it("training that gives no finite numbers", async () => {
    const folder = join(temporaryFolder(), "run");
    const config = smallConfig({ train: { lr: 1e38 }, fleet: { dropout: 0 } });
    await expect(playRun(config, { folder })).rejects.toMatchObject({ name: "non-finite-update" });
    const reader = openRunReader(folder);
    expect(reader.meta()).toMatchObject({ status: "diverged" });
    expect(reader.rounds()).toMatchObject([{ outcome: "abandoned", drops: { "training-failed": 8 } }]);
    expect(reader.events().at(-1)).toMatchObject({ type: "run.done", p: { status: "diverged", rounds: 0 } });
    reader.close();
  });

  it("a model that overflows", async () => {
    const folder = join(temporaryFolder(), "run");
    const config = smallConfig({ algorithm: { serverLr: 1e300 } });
    await expect(playRun(config, { folder })).rejects.toMatchObject({ name: "non-finite-update" });
    const reader = openRunReader(folder);
    expect(reader.meta()?.status).toBe("diverged");
    expect(reader.latestCheckpoint()).toBeUndefined();
    reader.close();
  });

  it("rounds that are abandoned again and again", async () => {
    const config = smallConfig({ fleet: { dropout: 1 }, round: { maxAbandoned: 2 } });
    const { result } = await playRun(config);
    expect(result).toMatchObject({ status: "failed", rounds: 0, ok: false, secagg: { abandoned: 3 } });
  });

  it("a folder in use, or one that holds a run already", async () => {
    const { folder } = await playRun(smallConfig(), stopAfter(1));
    await expect(playRun(smallConfig(), { folder })).rejects.toMatchObject({ name: "run-exists" });
    const store = openRunStore(folder, { mode: "resume" });
    await expect(playRun(smallConfig(), { folder, resume: true })).rejects.toMatchObject({ name: "run-in-use" });
    store.close();
    expect((await playRun(smallConfig(), { folder, resume: true })).result.status).toBe("done");
  });

  it("a folder without a run", async () => {
    const folder = temporaryFolder();
    await expect(playRun(smallConfig(), { folder, resume: true })).rejects.toMatchObject({ name: "run-not-found" });
  });

  it("a journal of uploads that does not parse, and lets the folder go", async () => {
    const { folder } = await playRun(smallConfig(), stopAfter(1));
    const journal = join(folder, "fleet-journal.ndjson");
    writeFileSync(journal, "{}\n");
    const resumed = playRun(smallConfig(), { folder, resume: true });
    await expect(resumed).rejects.toMatchObject({ name: "store-corrupt" });
    openRunStore(folder, { mode: "resume" }).close();
  });
});
