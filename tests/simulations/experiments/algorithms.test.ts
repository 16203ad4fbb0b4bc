import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { cryptoProvider } from "../../../shared/crypto/node-provider.ts";
import { createAuthority } from "../../../simulations/experiments/authority-folder.ts";
import type { RunConfigDocument } from "../../../simulations/experiments/config.ts";
import { FLEET_MEMORY_FILE } from "../../../simulations/fleet/fleet-memories.ts";
import { type PlayedRun, type PlayOptions, playRun, smallConfig, temporaryFolder, verify } from "./run-fixtures.ts";

type Algorithm = NonNullable<RunConfigDocument["algorithm"]>;

const weightsOf = (folder: string) => readFileSync(join(folder, "model.f32"));

const stopAfter = (round: number): PlayOptions => ({
  onEvent: (event) => (event.type === "round.done" && event.p.round === round ? "after-round" : undefined),
});

const ALGORITHMS: readonly Algorithm[] = [
  { kind: "fedavg", weight: "uniform" },
  { kind: "fedprox", mu: 0.1 },
  { kind: "scaffold" },
  { kind: "fedavgm" },
  // As Yogi and Adagrad, but for the one line that their own tests are about.
  { kind: "fedadam" },
];

describe.each(ALGORITHMS)("a run of $kind", (algorithm) => {
  // More devices are lost than usual, so that what they keep is not always what the coordinator added up.
  const config = smallConfig({ algorithm, fleet: { dropout: 0.2 }, train: { weightDecay: 1e-3 } });

  it("that was stopped and resumed has the bytes of one that is played without a stop", async () => {
    const { folder } = await playRun(config, stopAfter(2));
    const { result } = await playRun(config, { folder, resume: true });
    expect(result).toMatchObject({ status: "done", rounds: 3, secagg: { exact: true } });
    expect(await verify(folder)).toMatchObject({ matches: true, comparison: "bit-exact" });
    expect(existsSync(join(folder, FLEET_MEMORY_FILE))).toBe(algorithm.kind === "scaffold");
  });
});

describe("FedProx", () => {
  it("with mu 0 is FedAvg, bit for bit, and with more is not", async () => {
    const [avg, none, some] = await Promise.all(
      ([{ kind: "fedavg" }, { kind: "fedprox", mu: 0 }, { kind: "fedprox", mu: 1 }] as const).map((algorithm) =>
        playRun(smallConfig({ algorithm })),
      ),
    );
    expect(weightsOf(none.folder)).toEqual(weightsOf(avg.folder));
    expect(weightsOf(some.folder)).not.toEqual(weightsOf(avg.folder));
  });
});

describe("SCAFFOLD", () => {
  const config = smallConfig({ algorithm: { kind: "scaffold" } });
  let finished: PlayedRun;
  beforeAll(async () => {
    const folder = join(mkdtempSync(join(tmpdir(), "murmur-run-")), "run");
    finished = await playRun(config, { folder });
  });
  afterAll(() => rmSync(join(finished.folder, ".."), { recursive: true, force: true }));

  it("uploads two coordinates a parameter, and broadcasts as many", async () => {
    const [plain, both] = [await playRun(smallConfig()), finished];
    const ratio = both.result.bytes.upPerDevice / plain.result.bytes.upPerDevice;
    expect(ratio).toBeGreaterThan(1.7);
    expect(ratio).toBeLessThan(2);
    expect(both.result.bytes.downPerDevice / plain.result.bytes.downPerDevice).toBeGreaterThan(1.7);
  });

  it("is agreed on whole at active-server: the hash is of the model and the control variate", async () => {
    const authority = join(temporaryFolder(), "authority");
    createAuthority(authority, cryptoProvider);
    const active = smallConfig({ algorithm: { kind: "scaffold" }, secagg: { level: "active-server", authority } });
    const { folder, result } = await playRun(active);
    expect(result).toMatchObject({ ok: true, rounds: 3, secagg: { level: "active-server", exact: true } });
    expect(await verify(folder)).toMatchObject({ matches: true });
  });

  it.each(["accounted", "off"] as const)("has the same bytes where masking is %s", async (fidelity) => {
    const counted = await playRun(smallConfig({ algorithm: { kind: "scaffold" }, secagg: { fidelity } }));
    expect(weightsOf(counted.folder)).toEqual(weightsOf(finished.folder));
  });

  it.each(["mask", "unmask"])("abandoned during %s leaves every device what it had", async (stage) => {
    const { folder } = await playRun(config, {
      onEvent: (event) =>
        event.type === "round.stage" && event.round === 2 && event.p.stage === stage ? "now" : undefined,
    });
    const { result } = await playRun(config, { folder, resume: true });
    expect(result.rounds).toBe(3);
    // The verifier passes the abandoned round over, and so must the devices have.
    expect(await verify(folder)).toMatchObject({ matches: true, rounds: 3 });
  });

  it("forgets what devices kept of a round that was lost after they had seen it to its end", async () => {
    // Long enough that some of its devices are left out of the round after it, and asked again later.
    const long = smallConfig({ algorithm: { kind: "scaffold" }, round: { count: 6 } });
    let folder = "";
    const dying = playRun(long, {
      onEvent(event) {
        // The sum is open and DONE has been heard; nothing is stored yet.
        if (event.type === "round.stage" && event.round === 2 && event.p.stage === "apply") throw new Error("killed");
        return undefined;
      },
      onFolder: (where) => {
        folder = where;
      },
    });
    await expect(dying).rejects.toThrow("killed");
    const { result } = await playRun(long, { folder, resume: true });
    expect(result.rounds).toBe(6);
    expect(await verify(folder)).toMatchObject({ matches: true, rounds: 6 });
  });

  it("drifts less than FedAvg where every device knows two classes, and trains long", async () => {
    const hard = {
      task: { dataset: "blobs", model: "softmax", partition: { kind: "shards", perDevice: 2 } },
      fleet: { devices: 20, dropout: 0 },
      train: { epochs: 5, batch: 10, lr: 0.1 },
      secagg: { mode: "plaintext", insecure: true },
      round: { count: 8, cohort: 8, overSelection: 1, minCohort: 4, evaluateEvery: 8 },
    } as const;
    const averaged = await playRun(smallConfig({ ...hard, algorithm: { kind: "fedavg", weight: "uniform" } }));
    const corrected = await playRun(smallConfig({ ...hard, algorithm: { kind: "scaffold" } }));
    // Test losses of 0.12 and 0.38.
    expect(corrected.result.loss ?? Number.NaN).toBeLessThan(0.5 * (averaged.result.loss ?? Number.NaN));
  });
});
