import { describe, expect, it } from "vitest";
import { createDeviceConnection, type DeviceConnection } from "../../client/connection.ts";
import { createDevice } from "../../client/device.ts";
import { DEFAULT_POLICY } from "../../client/secagg/policy.ts";
import type { Connection } from "../../server/connections/connection.ts";
import { createDeviceHub } from "../../server/connections/device-hub.ts";
import { simulatedPlaces } from "../../server/connections/places.ts";
import type { RoundFact } from "../../server/round.ts";
import { createRoundHost } from "../../server/round-host.ts";
import { cryptoProvider } from "../../shared/crypto/node-provider.ts";
import { FRAME_TYPES, type FrameType, frameType } from "../../shared/protocol/frame.ts";
import { seededRandom } from "../../shared/random/seeded-random.ts";
import { issueCertificate } from "../../shared/secagg/certificates.ts";
import { createStopSwitch } from "../../shared/time/stop-signal.ts";
import { createTask } from "../../simulations/experiments/task-terms.ts";
import { memoryJournal } from "../client/device-fixtures.ts";
import { manualClock } from "../shared/time/manual-clock.ts";
import { smallConfig } from "../simulations/experiments/run-fixtures.ts";
import { type FakeSocket, fakeSocket } from "./connections/fake-socket.ts";

const SIZE = 12;
const AUDIENCE = "127.0.0.1:8080";
const PARAMETERS = Float32Array.of(0.5, -0.5, 0.25, 0);
const BROADCAST = { values: PARAMETERS, lost: [] };
const EXAMPLES = 10;

interface Setup {
  readonly certified?: boolean;
  readonly interval?: number;
  /** Devices that advertise another key than the one that their connection was let in by. */
  readonly impostors?: number;
}

/** A coordinator's hub and host, and real devices, in memory and on a clock that a test moves. */
function hosted({ certified = false, interval = 0, impostors = 0 }: Setup = {}) {
  const leap = { milliseconds: 0 };
  const clock = Object.assign(manualClock(), {
    anchor: () => {
      const leapt = leap.milliseconds;
      leap.milliseconds = 0;
      return leapt;
    },
  });
  const authority = cryptoProvider.generateEd25519();
  const config = smallConfig({
    fleet: { devices: SIZE, dropout: 0 },
    round: { cohort: 6, overSelection: 1.5, minCohort: 4, exchangeDeadline: "5s", deadline: "5s" },
    secagg: certified ? { level: "active-server", authority: "elsewhere" } : {},
  });
  const authorityKey = certified ? authority.publicKey : undefined;
  const taskId = cryptoProvider.random.bytes(16);
  const task = createTask(config, cryptoProvider, taskId, PARAMETERS.length, EXAMPLES, authorityKey, {});
  const leaps: number[] = [];
  const hub = createDeviceHub({
    provider: cryptoProvider,
    clock,
    wallSeconds: () => Math.floor(clock.now() / 1000),
    pump: {
      push: (socket, frame) => socket.send(frame, () => {}),
      queued: 0,
      handedOver: async () => {},
      close: () => {},
    },
    places: simulatedPlaces({ seed: config.seed, dataset: "blobs", partition: "iid", devices: SIZE, dropout: 0 }),
    rules: {
      provider: cryptoProvider,
      population: config.population,
      standing: () => "ok",
      enrolledCertificate: () => new Uint8Array(0),
      isOwnName: () => true,
      ...(authorityKey === undefined ? {} : { authority: authorityKey }),
    },
    lastPlace: () => undefined,
    remember: () => {},
    pace: () => undefined,
    heartbeat: 60_000,
    handshakeTimeout: 10_000,
    observer: {
      opened: () => {},
      admitted: () => {},
      refused: () => {},
      ended: () => {},
      received: () => {},
      sent: () => {},
    },
  });
  const host = createRoundHost({
    provider: cryptoProvider,
    task,
    hub,
    clock,
    fleet: SIZE,
    enrolled: () => SIZE,
    invited: 9,
    selectionWindow: 10_000,
    interval,
    selection: (round) => seededRandom(config.seed, "selection", round),
    onClockLeap: (milliseconds) => leaps.push(milliseconds),
  });

  const peers = Array.from({ length: SIZE }, (_, i) => connect(i < impostors));
  /** A frame type that devices of these names withhold from now on. */
  const withheld = new Map<string, FrameType>();

  /** @param other takes part in rounds under another key than the connection's */
  function connect(other = false) {
    const key = cryptoProvider.generateEd25519();
    const shown = other ? cryptoProvider.generateEd25519() : key;
    const expiry = Math.floor(clock.now() / 1000) + 3600;
    const certificate = certified ? issueCertificate(authority, config.population, key.publicKey, expiry) : undefined;
    const identity = {
      publicKey: key.publicKey,
      sign: (message: Uint8Array) => key.sign(message),
      ...(certificate === undefined ? {} : { certificate }),
    };
    const journal = memoryJournal();
    const device: DeviceConnection = createDeviceConnection(clock.now(), {
      provider: cryptoProvider,
      identity,
      audience: AUDIENCE,
      software: "test",
      device: ({ device: name }) =>
        createDevice({
          name,
          provider: cryptoProvider,
          identity: other ? { publicKey: shown.publicKey, sign: (message) => shown.sign(message) } : identity,
          ...(authorityKey === undefined ? {} : { authority: authorityKey }),
          policy: { ...DEFAULT_POLICY, minCohort: 4, minHonest: 2 },
          acceptsSimulation: true,
          maxRoundsPerDay: 1000,
          journal,
        }),
    });
    const socket = fakeSocket();
    return { device, socket, journal, read: 0, connection: hub.open(socket, "127.0.0.1") };
  }

  type Effects = ReturnType<DeviceConnection["receive"]>;

  function take(peer: (typeof peers)[number], effects: Effects): void {
    for (const frame of effects.send) {
      if (withheld.get(peer.connection.device ?? "") !== frameType(frame)) hub.received(peer.connection, frame);
    }
    if (effects.train === undefined) return;
    const parameters = effects.train.parameters.map((value, i) => value + 0.01 * (i + 1));
    take(peer, peer.device.trained(clock.now(), { parameters, examples: EXAMPLES, lossSum: 1, correct: 5, steps: 1 }));
  }

  /** Delivers frames until nobody has any more to say. */
  async function settle(): Promise<void> {
    for (let quiet = 0; quiet < 3; ) {
      let delivered = false;
      for (const peer of peers) {
        if (peer.connection.phase === "ended" && peer.socket.terminated) continue;
        for (; peer.read < peer.socket.frames.length; peer.read++) {
          delivered = true;
          take(peer, peer.device.receive(clock.now(), peer.socket.frames[peer.read]));
        }
      }
      clock.advance(0);
      await Promise.resolve();
      quiet = delivered ? 0 : quiet + 1;
    }
  }

  async function gather() {
    const stop = createStopSwitch();
    let outcome: string | undefined;
    const done = host.gather(BROADCAST, { stop, onPresence: () => {} }).then((result) => {
      outcome = result;
    });
    await settle();
    return { stop, done, outcome: () => outcome };
  }

  function play(number: number) {
    const stop = createStopSwitch();
    const facts: RoundFact[] = [];
    const played = host.play(number, BROADCAST, {
      stop,
      onSelected: () => {},
      onFacts: (more) => facts.push(...more),
    });
    return { stop, facts, played };
  }

  return { hub, host, clock, peers, withheld, leap, leaps, settle, gather, play };
}

const close = (hub: { closed(connection: Connection): void }, peer: { connection: Connection; socket: FakeSocket }) => {
  peer.socket.terminated = true;
  hub.closed(peer.connection);
};

describe("a hosted round", () => {
  it("begins when the fleet is there, and sums what the invited devices trained", async () => {
    const subject = hosted();
    const gathered = await subject.gather();
    expect(gathered.outcome()).toBe("ready");
    const { played, facts } = subject.play(1);
    await subject.settle();
    const { invited, opened, traffic } = await played;
    expect(invited).toHaveLength(9);
    const { result } = opened.round;
    expect(result?.survivors).toHaveLength(9);
    const mean = opened.decode(result!.sum, 9);
    for (const [i, value] of mean.values.entries()) expect(value).toBeCloseTo(0.01 * (i + 1), 3);
    expect(mean.metrics.examples).toBe(9 * EXAMPLES);
    expect(traffic.bytesUp).toBeGreaterThan(9 * 1000);
    expect(facts.filter(({ kind }) => kind === "lost")).toEqual([]);
    // Everybody is back, and may be invited again.
    expect(subject.hub.waitingCount).toBe(SIZE);
  });

  it("holds back all uploads but four, and reads everybody again afterwards", async () => {
    const subject = hosted();
    await subject.gather();
    const { played, facts } = subject.play(1);
    let held = 0;
    for (const { socket } of subject.peers) {
      const { resume } = socket;
      socket.resume = () => {
        resume();
        const paused = subject.peers.filter((peer) => peer.socket.paused).length;
        held = Math.max(held, paused);
      };
    }
    await subject.settle();
    await played;
    expect(facts.some((fact) => fact.kind === "stage" && fact.stage === "mask")).toBe(true);
    expect(held).toBeGreaterThanOrEqual(5);
    expect(subject.peers.some((peer) => peer.socket.paused)).toBe(false);
  });

  it("goes on without a device that is gone, and drops one that says nothing at its deadline", async () => {
    const subject = hosted();
    await subject.gather();
    const { played, facts } = subject.play(1);
    const [first, second] = subject.peers.filter(({ connection }) => connection.round !== undefined);
    const gone = first.connection.device!;
    const silent = second.connection.device!;
    subject.withheld.set(silent, FRAME_TYPES.shares);
    close(subject.hub, first);
    await subject.settle();
    subject.clock.advance(5_000);
    await subject.settle();
    const { opened } = await played;
    expect(opened.round.result?.survivors).toHaveLength(7);
    const lost = facts.flatMap((fact) => (fact.kind === "lost" ? [[fact.device, fact.stage, fact.reason]] : []));
    expect(lost).toEqual([
      [gone, "configure", "disconnected"],
      [silent, "shares", "deadline"],
    ]);
  });

  it("is abandoned at once when it is asked to stop now, and its devices are free again", async () => {
    const subject = hosted();
    await subject.gather();
    const { played, stop } = subject.play(1);
    stop.ask("now");
    const { opened } = await played;
    expect(opened.round.abandoned).toMatchObject({ reason: "stopped" });
    await subject.settle();
    expect(subject.hub.waitingCount).toBe(SIZE);
  });

  it("takes a device only under the key that its connection was let in by", async () => {
    const subject = hosted({ impostors: 4 });
    await subject.gather();
    const impostors = subject.peers.slice(0, 4).map(({ connection }) => connection.device);
    const { played, facts } = subject.play(1);
    await subject.settle();
    const { invited, opened } = await played;
    const lost = facts.flatMap((fact) => (fact.kind === "lost" ? [fact] : []));
    const expected = invited.filter((device) => impostors.includes(device));
    expect(expected.length).toBeGreaterThan(0);
    expect(lost.map(({ device, reason, stage }) => [device, reason, stage])).toEqual(
      lost.map(({ device }) => [device, "bad-key", "keys"]),
    );
    expect(new Set(lost.map(({ device }) => device))).toEqual(new Set(expected));
    expect(opened.round.result?.survivors).toHaveLength(invited.length - expected.length);
  });

  it("leaves no timer behind", async () => {
    const subject = hosted();
    await subject.gather();
    const { played } = subject.play(1);
    await subject.settle();
    await played;
    expect(subject.clock.pending).toBe(0);
  });
});

describe("between rounds", () => {
  it("a clock that has leapt is told of, and moves no time that was agreed", async () => {
    const subject = hosted({ interval: 60_000 });
    await subject.gather();
    const { played } = subject.play(1);
    await subject.settle();
    await played;
    expect(subject.host.nextRoundAt).toBe(subject.clock.now() + 60_000);
    subject.leap.milliseconds = 3_600_000;
    const next = await subject.gather();
    expect(subject.leaps).toEqual([3_600_000]);
    expect(subject.host.nextRoundAt).toBe(subject.clock.now() + 60_000 + 3_600_000);
    expect(next.outcome()).toBeUndefined();
    next.stop.ask("after-round");
    await next.done;
    expect(next.outcome()).toBe("stopped");
  });

  it("devices that do not come back are waited for once", async () => {
    const subject = hosted();
    await subject.gather();
    const { played } = subject.play(1);
    await subject.settle();
    await played;
    for (const peer of subject.peers.slice(0, 3)) close(subject.hub, peer);
    const second = await subject.gather();
    expect(second.outcome()).toBeUndefined();
    subject.clock.advance(10_000);
    await subject.settle();
    expect(second.outcome()).toBe("ready");
    const third = await subject.gather();
    expect(third.outcome()).toBe("ready");
  });
});

describe("at active-server", () => {
  /** A round in which everybody uploads, and then too few confirm. */
  async function spoiled(subject: ReturnType<typeof hosted>, number: number) {
    const { played } = subject.play(number);
    for (const { connection } of subject.peers) {
      if (connection.round !== undefined) subject.withheld.set(connection.device!, FRAME_TYPES.ack);
    }
    await subject.settle();
    subject.clock.advance(5_000);
    await subject.settle();
    subject.withheld.clear();
    return (await played).opened.round.abandoned;
  }

  it("who has uploaded for a model is not invited again, and a model that is used up ends the run", async () => {
    const subject = hosted({ certified: true });
    expect((await subject.gather()).outcome()).toBe("ready");
    const abandoned = await spoiled(subject, 1);
    expect(abandoned).toMatchObject({ stage: "confirm", reason: "below-quorum" });
    // Nine of twelve have given their upload for this model; three are too few, and no others are enrolled.
    expect((await subject.gather()).outcome()).toBe("exhausted");
  });

  it("at curious-server the same model may be tried again", async () => {
    const subject = hosted();
    await subject.gather();
    expect(await spoiled(subject, 1)).toMatchObject({ stage: "confirm" });
    expect((await subject.gather()).outcome()).toBe("ready");
    const { played } = subject.play(2);
    await subject.settle();
    expect((await played).opened.round.result?.survivors).toHaveLength(9);
  });
});
