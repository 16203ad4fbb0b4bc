import { describe, expect, it } from "vitest";
import { DEFAULT_POLICY } from "../../../client/secagg/policy.ts";
import type { DeviceUpload } from "../../../client/storage/upload-journal.ts";
import { deviceJournals } from "../../../client/storage/upload-journal.ts";
import { webSocketDial } from "../../../client/transport/websocket.ts";
import { toHex } from "../../../shared/crypto/bytes.ts";
import { cryptoProvider } from "../../../shared/crypto/node-provider.ts";
import { dropoutPlan } from "../../../simulations/fleet/dropout-plan.ts";
import { type FleetProgress, type JoinedFleetOptions, joinFleet } from "../../../simulations/fleet/joined-fleet.ts";
import { realTime, transportOptions } from "../../client/transport/fake-server.ts";
import { type CoordinatorPlay, PLAYED_DEVICES, playCoordinator } from "./playing-coordinator.ts";

async function join(play: CoordinatorPlay, changes: Partial<JoinedFleetOptions> = {}) {
  const coordinator = await playCoordinator(play);
  const uploads: DeviceUpload[] = [];
  const journalOf = deviceJournals({ uploads: [], record: (upload) => void uploads.push(upload) });
  const progress: FleetProgress[] = [];
  const fleet = joinFleet({
    members: Array.from({ length: PLAYED_DEVICES }, () => {
      const key = cryptoProvider.generateEd25519();
      const identity = { publicKey: key.publicKey, sign: (message: Uint8Array) => key.sign(message) };
      return { identity, journal: journalOf(toHex(key.publicKey)) };
    }),
    provider: cryptoProvider,
    policy: { ...DEFAULT_POLICY, minCohort: 3, minHonest: 2 },
    maxRoundsPerDay: 100,
    engine: "onnx",
    audience: coordinator.origin.host,
    software: "test/1",
    time: realTime,
    dial: webSocketDial(transportOptions(coordinator.origin)),
    fetchModel: () => Promise.reject(new Error("no model is that large")),
    breathe: () => new Promise((resolve) => setImmediate(resolve)),
    report: (_device, step) => void progress.push(step),
    ...changes,
  });
  return { coordinator, fleet, uploads, progress };
}

describe("devices of one process, over sockets", () => {
  it("take part in masked rounds until the run is finished", async () => {
    const { coordinator, fleet, uploads } = await join({ rounds: 3 });
    const result = await fleet.ended;
    expect(result).toEqual({
      devices: PLAYED_DEVICES,
      rounds: 3,
      uploads: 3 * PLAYED_DEVICES,
      finished: true,
      refused: [],
    });
    expect(coordinator.survivors.map(({ length }) => length)).toEqual([6, 6, 6]);
    expect(coordinator.losses).toEqual([]);
    expect(new Set(uploads.map(({ device, roundId }) => `${device} ${toHex(roundId)}`)).size).toBe(uploads.length);
  });

  it("come when they were told to", async () => {
    const { coordinator, fleet, progress } = await join({ rounds: 1, pace: true });
    expect(await fleet.ended).toMatchObject({ rounds: 1, finished: true });
    expect([...coordinator.welcomes.values()]).toEqual(new Array(PLAYED_DEVICES).fill(2));
    const away = progress.filter((step) => step.kind === "away");
    expect(away).toHaveLength(PLAYED_DEVICES);
    for (const step of away) expect(step).toMatchObject({ reason: "the coordinator asked it to come later" });
  });

  it("vanish as the seed draws it, closing or silently, and are back for the next round", async () => {
    const rounds = 4;
    const dropout = 0.4;
    const { coordinator, fleet } = await join({ rounds, dropout });
    expect(await fleet.ended).toMatchObject({ finished: true, refused: [] });
    const plan = dropoutPlan(5, dropout);
    expect(coordinator.losses.length).toBeGreaterThan(0);
    for (const { round, device, stage, reason } of coordinator.losses) {
      const vanishing = plan(round, device);
      expect({ stage, reason }).toEqual({
        stage: vanishing?.stage,
        reason: vanishing?.silent ? "deadline" : "disconnected",
      });
    }
  }, 60_000);

  it("leave when they are stopped, whatever they are at", async () => {
    const { fleet, progress } = await join({ rounds: 1e6 });
    await new Promise((resolve) => setTimeout(resolve, 300));
    const asked = Date.now();
    fleet.stop();
    expect(await fleet.ended).toMatchObject({ finished: false, refused: [] });
    expect(Date.now() - asked).toBeLessThan(5_000);
    expect(progress.filter((step) => step.kind === "ended")).toHaveLength(PLAYED_DEVICES);
  });
});

describe("a coordinator's simulation", () => {
  it.each<[string, CoordinatorPlay["deal"]]>([
    ["is not one", () => undefined],
    ["names a dataset that nobody has", (simulation) => ({ ...simulation, dataset: "imagenet" })],
    ["is dealt in a way that nobody knows", (simulation) => ({ ...simulation, partition: "shards:0" })],
  ])("that %s is refused by every device", async (_, deal) => {
    const { fleet } = await join({ rounds: 1, ...(deal === undefined ? {} : { deal }) });
    const { refused } = await fleet.ended;
    expect(refused.map(({ error }) => error.name)).toEqual(new Array(PLAYED_DEVICES).fill("device-refused"));
  });

  it("is one for all of them", async () => {
    const { fleet, progress } = await join({
      rounds: 1,
      deal: (simulation, nth) => ({ ...simulation, seed: nth === 3 ? 6 : 5 }),
    });
    await expect.poll(() => progress.some(({ kind }) => kind === "ended"), { timeout: 20_000 }).toBe(true);
    fleet.stop();
    const { refused } = await fleet.ended;
    expect(refused).toHaveLength(1);
    expect(refused[0].error.message).toContain("another experiment");
  });
});
