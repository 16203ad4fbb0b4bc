import { describe, expect, it } from "vitest";
import type { RoundListener } from "../../../server/connections/connection.ts";
import { createDeviceHub } from "../../../server/connections/device-hub.ts";
import { simulatedPlaces } from "../../../server/connections/places.ts";
import { toHex } from "../../../shared/crypto/bytes.ts";
import { cryptoProvider } from "../../../shared/crypto/node-provider.ts";
import type { Ed25519Key } from "../../../shared/crypto/provider.ts";
import {
  connectMessage,
  decodePace,
  decodeRefused,
  decodeWelcome,
  encodeAuthentication,
  encodeCheckIn,
  type ReturnWindow,
} from "../../../shared/protocol/connection-messages.ts";
import { encodeBegin } from "../../../shared/protocol/control-messages.ts";
import { decodeFrame, FRAME_TYPES } from "../../../shared/protocol/frame.ts";
import type { DeviceId } from "../../../shared/protocol/ids.ts";
import { encodeCertificate, issueCertificate } from "../../../shared/secagg/certificates.ts";
import { manualClock } from "../../shared/time/manual-clock.ts";
import { type FakeSocket, fakeSocket } from "./fake-socket.ts";

const POPULATION = "test";
const AUDIENCE = "127.0.0.1:8080";
const HEARTBEAT = 30_000;
const HANDSHAKE = 10_000;

interface Setup {
  readonly devices?: number;
  readonly authority?: Uint8Array;
  readonly pace?: () => ReturnWindow | undefined;
}

function hubOf({ devices = 3, authority, pace = () => undefined }: Setup = {}) {
  const clock = manualClock();
  const enrolled = new Map<string, "ok" | "revoked">();
  const last = new Map<string, string>();
  const seen: string[] = [];
  const hub = createDeviceHub({
    provider: cryptoProvider,
    clock,
    wallSeconds: () => Math.floor(clock.now() / 1000),
    // What the pump is for has its own tests: here everything leaves at once.
    pump: {
      push: (socket, frame) => socket.send(frame, () => {}),
      queued: 0,
      handedOver: async () => {},
      close: () => {},
    },
    places: simulatedPlaces({ seed: 1, dataset: "blobs", partition: "iid", devices, dropout: 0 }),
    rules: {
      provider: cryptoProvider,
      population: POPULATION,
      standing: (idPk) => enrolled.get(toHex(idPk)) ?? "not-enrolled",
      enrolledCertificate: () => new Uint8Array(0),
      isOwnName: (audience) => audience === AUDIENCE,
      ...(authority === undefined ? {} : { authority }),
    },
    lastPlace: (idPk) => last.get(toHex(idPk)),
    remember: (idPk, device) => void last.set(toHex(idPk), device),
    pace,
    heartbeat: HEARTBEAT,
    handshakeTimeout: HANDSHAKE,
    observer: {
      opened: () => seen.push("opened"),
      admitted: (device) => seen.push(`admitted ${device}`),
      refused: (reason) => seen.push(`refused ${reason}`),
      ended: (end) => seen.push(`ended ${end}`),
      received: () => {},
      sent: () => {},
    },
  });
  const newKey = () => {
    const key = cryptoProvider.generateEd25519();
    enrolled.set(toHex(key.publicKey), "ok");
    return key;
  };
  const connect = () => {
    const socket = fakeSocket();
    const connection = hub.open(socket, "127.0.0.1");
    return { socket, connection, nonce: decodeFrame(socket.frames[0]).header.binding };
  };
  const enter = (key = newKey(), changes: Parameters<typeof authentication>[2] = {}) => {
    const peer = connect();
    hub.received(peer.connection, authentication(key, peer.nonce, changes));
    return { ...peer, key, checkIn: () => hub.received(peer.connection, encodeCheckIn(peer.nonce)) };
  };
  return { hub, clock, enrolled, seen, newKey, connect, enter };
}

interface Forgery {
  readonly audience?: string;
  readonly population?: string;
  readonly certificate?: Uint8Array;
  readonly signedNonce?: Uint8Array;
  readonly idPk?: Uint8Array;
}

function authentication(key: Ed25519Key, nonce: Uint8Array, forgery: Forgery = {}): Uint8Array {
  const { audience = AUDIENCE, population = POPULATION, certificate = new Uint8Array(0) } = forgery;
  const signature = key.sign(connectMessage(forgery.signedNonce ?? nonce, { population, audience, certificate }));
  const idPk = forgery.idPk ?? key.publicKey;
  return encodeAuthentication(nonce, { idPk, certificate, audience, software: "test/1", signature });
}

const lastFrame = ({ frames }: FakeSocket) => decodeFrame(frames[frames.length - 1]);
const refusal = (socket: FakeSocket) => {
  const { header, body } = lastFrame(socket);
  expect(header.type).toBe(FRAME_TYPES.refused);
  expect(socket.closedWith).toBeDefined();
  return decodeRefused(body);
};
const silent: RoundListener = { frame: () => {}, gone: () => {} };

describe("a device that authenticates", () => {
  it("is let in under a name, told what it is dealt, and waits once it has checked in", () => {
    const { hub, enter, seen } = hubOf();
    const { socket, checkIn, key } = enter();
    expect(decodeWelcome(lastFrame(socket).body)).toMatchObject({
      device: "d-0000",
      simulation: { index: 0, devices: 3 },
    });
    expect({ connected: hub.connected, waiting: hub.waitingCount }).toEqual({ connected: 1, waiting: 0 });
    checkIn();
    expect(hub.waiting()).toEqual([{ device: "d-0000", idPk: key.publicKey }]);
    expect(seen).toEqual(["opened", "admitted d-0000"]);
  });

  it("gets the place again that it had", () => {
    const { hub, enter, newKey } = hubOf();
    const key = newKey();
    enter();
    const { connection } = enter(key);
    hub.closed(connection);
    enter();
    hub.closed(enter().connection);
    const back = enter(key);
    expect(back.connection.device).toBe("d-0002");
    hub.closed(back.connection);
    expect(hub.connected).toBe(2);
  });

  it.each<[string, string, Forgery]>([
    ["for another coordinator's name", "wrong-audience", { audience: "evil.example:8080" }],
    ["for another population", "bad-signature", { population: "other" }],
    ["over another connection's challenge", "bad-signature", { signedNonce: new Uint8Array(32) }],
    ["with another device's key", "bad-signature", { idPk: cryptoProvider.generateEd25519().publicKey }],
    ["with a key of low order", "bad-signature", { idPk: new Uint8Array(32) }],
  ])("%s is refused: %s", (_, reason, forgery) => {
    const { hub, enter, newKey } = hubOf();
    const { socket } = enter(newKey(), forgery);
    expect(refusal(socket).reason).toBe(reason);
    expect({ sockets: hub.sockets, connected: hub.connected }).toEqual({ sockets: 0, connected: 0 });
  });

  it("with frames recorded on another connection is refused", () => {
    const { hub, newKey, connect } = hubOf();
    const key = newKey();
    const first = connect();
    const recorded = authentication(key, first.nonce);
    hub.received(first.connection, recorded);
    const second = connect();
    hub.received(second.connection, recorded);
    expect(refusal(second.socket).reason).toBe("malformed");
    // Nor does the check-in of one connection count for another.
    const third = connect();
    hub.received(third.connection, authentication(newKey(), third.nonce));
    hub.received(third.connection, encodeCheckIn(first.nonce));
    expect(refusal(third.socket).reason).toBe("malformed");
  });

  it("is refused when its key is not enrolled, or revoked", () => {
    const { enter, enrolled } = hubOf();
    const stranger = cryptoProvider.generateEd25519();
    expect(refusal(enter(stranger).socket).reason).toBe("not-enrolled");
    enrolled.set(toHex(stranger.publicKey), "revoked");
    expect(refusal(enter(stranger).socket).reason).toBe("revoked");
  });

  it("replaces its own older connection, and nobody else's", () => {
    const { hub, enter, newKey } = hubOf();
    const key = newKey();
    const other = enter();
    const older = enter(key);
    const newer = enter(key);
    expect(refusal(older.socket).reason).toBe("replaced");
    expect(newer.connection.device).toBe(older.connection.device);
    expect(other.socket.closedWith).toBeUndefined();
    // The end of the older socket, which comes late, takes nothing from the newer one.
    hub.closed(older.connection);
    expect(hub.connected).toBe(2);
  });

  it("is told to come back later when every place is taken", () => {
    const { enter } = hubOf({ devices: 1 });
    enter();
    expect(refusal(enter().socket)).toMatchObject({ reason: "fleet-full", window: { min: 720_000, max: 1_080_000 } });
  });

  it("has ten seconds for it", () => {
    const { hub, clock, connect, seen } = hubOf();
    const { socket } = connect();
    clock.advance(HANDSHAKE - 1);
    expect(socket.closedWith).toBeUndefined();
    clock.advance(1);
    // Somebody may have kept it waiting: it may try again.
    expect(refusal(socket)).toMatchObject({ reason: "too-slow", window: { min: 500, max: 5_000 } });
    expect(hub.sockets).toBe(0);
    expect(seen).toContain("ended too-slow");
    expect(clock.pending).toBe(0);
  });
});

describe("at active-server", () => {
  const authority = cryptoProvider.generateEd25519();
  const certified = (key: Ed25519Key, expiry: number, population = POPULATION, by = authority) =>
    encodeCertificate(issueCertificate(by, population, key.publicKey, expiry));
  const SOON = 1_800_000_000 + 60;

  it("a device with the authority's certificate is let in", () => {
    const { hub, enter, newKey } = hubOf({ authority: authority.publicKey });
    const key = newKey();
    enter(key, { certificate: certified(key, SOON) });
    expect(hub.connected).toBe(1);
  });

  it("is sent away when its certificate ends, but not out of a round", () => {
    const { hub, clock, enter, newKey } = hubOf({ authority: authority.publicKey });
    const key = newKey();
    const { socket, checkIn, connection } = enter(key, { certificate: certified(key, SOON) });
    checkIn();
    const links = hub.occupy(["d-0000" as DeviceId], silent);
    clock.advance(60_000);
    hub.heard(connection);
    for (let beat = 0; beat < 30; beat++) hub.beat();
    expect(socket.closedWith).toBeUndefined();
    links.release();
    checkIn();
    expect(refusal(socket).reason).toBe("uncertified");
    expect(hub.waitingCount).toBe(0);
  });

  it("does not wait for a round when its certificate ends meanwhile", () => {
    const { hub, clock, enter, newKey } = hubOf({ authority: authority.publicKey });
    const key = newKey();
    const { socket, checkIn, connection } = enter(key, { certificate: certified(key, SOON) });
    checkIn();
    clock.advance(60_000);
    hub.heard(connection);
    for (let beat = 0; beat < 30; beat++) hub.beat();
    expect(refusal(socket).reason).toBe("uncertified");
  });

  it.each<[string, (key: Ed25519Key) => Uint8Array]>([
    ["no certificate", () => new Uint8Array(0)],
    ["half a certificate", (key) => certified(key, SOON).subarray(1)],
    ["one that has expired", (key) => certified(key, SOON - 61)],
    ["one of another population", (key) => certified(key, SOON, "other")],
    ["one of another authority", (key) => certified(key, SOON, POPULATION, cryptoProvider.generateEd25519())],
    ["another device's", () => certified(cryptoProvider.generateEd25519(), SOON)],
  ])("one with %s is not", (_, certificate) => {
    const { enter, newKey } = hubOf({ authority: authority.publicKey });
    const key = newKey();
    expect(refusal(enter(key, { certificate: certificate(key) }).socket).reason).toBe("uncertified");
  });
});

describe("frames", () => {
  const round = { roundId: new Uint8Array(16), context: new Uint8Array(32) };

  it("reach the round that the device is in, and no other", () => {
    const { hub, enter } = hubOf();
    const [one, two] = [enter(), enter()];
    one.checkIn();
    two.checkIn();
    const heard: string[] = [];
    const links = hub.occupy(["d-0000" as DeviceId], { frame: (device) => heard.push(device), gone: () => {} });
    hub.received(one.connection, encodeBegin(round));
    hub.received(two.connection, encodeBegin(round));
    expect(heard).toEqual(["d-0000"]);
    expect(hub.waiting().map(({ device }) => device)).toEqual(["d-0001"]);
    links.release();
    hub.received(one.connection, encodeBegin(round));
    expect(heard).toEqual(["d-0000"]);
  });

  it("of a device that came back under the same name do not enter the old round, nor does the round reach it", () => {
    const { hub, enter, newKey } = hubOf();
    const key = newKey();
    const before = enter(key);
    before.checkIn();
    const heard: string[] = [];
    const links = hub.occupy(["d-0000" as DeviceId], {
      frame: () => heard.push("frame"),
      gone: (_, loss) => heard.push(loss),
    });
    hub.closed(before.connection);
    const after = enter(key);
    expect(after.connection.device).toBe("d-0000");
    hub.received(after.connection, encodeBegin(round));
    links.send("d-0000" as DeviceId, encodeBegin(round));
    expect(heard).toEqual(["disconnected"]);
    expect(lastFrame(after.socket).header.type).toBe(FRAME_TYPES.welcome);
    // It may wait for the next one meanwhile.
    after.checkIn();
    expect(hub.waitingCount).toBe(1);
    links.release();
    expect(hub.waitingCount).toBe(1);
  });

  it("that do not parse before a device is let in end the connection", () => {
    const { hub, connect } = hubOf();
    for (const bytes of [new Uint8Array(0), new Uint8Array(64), encodeBegin(round)]) {
      const { connection, socket } = connect();
      hub.received(connection, bytes);
      expect(refusal(socket).reason).toBe("malformed");
    }
  });

  it("outside of a round are not read, and thousands of them are too many", () => {
    const { hub, enter } = hubOf();
    const { connection, socket, checkIn } = enter();
    for (let i = 0; i < 4096; i++) hub.received(connection, Uint8Array.of(1));
    expect(socket.closedWith).toBeUndefined();
    checkIn();
    for (let i = 0; i < 4097; i++) hub.received(connection, Uint8Array.of(1));
    expect(refusal(socket).reason).toBe("malformed");
  });

  it("after the end are nothing", () => {
    const { hub, enter, connect } = hubOf();
    const { connection, socket, checkIn } = enter();
    hub.closed(connection);
    checkIn();
    expect(hub.waitingCount).toBe(0);
    hub.refuse(connection, "malformed", "");
    expect(socket.closedWith).toBeUndefined();
    const refused = connect();
    hub.refuse(refused.connection, "oversize", "");
    hub.received(refused.connection, Uint8Array.of(1));
    expect(refused.socket.frames).toHaveLength(2);
  });
});

describe("the end of a connection in a round", () => {
  it.each([
    ["oversize", "oversize"],
    ["malformed", "malformed"],
    ["too-slow", "deadline"],
    ["revoked", "disconnected"],
  ] as const)("as %s is the round's %s", (reason, loss) => {
    const { hub, enter } = hubOf();
    const { connection, checkIn } = enter();
    checkIn();
    const losses: string[] = [];
    hub.occupy(["d-0000" as DeviceId], { frame: () => {}, gone: (_, lost) => losses.push(lost) });
    hub.refuse(connection, reason, "");
    expect(losses).toEqual([loss]);
  });
});

describe("an upload that has to wait", () => {
  it("is not read until its turn, or the end of the round", () => {
    const { hub, enter } = hubOf();
    const { socket, checkIn } = enter();
    checkIn();
    const links = hub.occupy(["d-0000" as DeviceId], silent);
    links.pause("d-0000" as DeviceId);
    expect(socket.paused).toBe(true);
    links.resume("d-0000" as DeviceId);
    expect(socket.paused).toBe(false);
    links.pause("d-0000" as DeviceId);
    links.release();
    expect(socket.paused).toBe(false);
  });

  it("is read again when its device is sent away, whose goodbye would never be seen otherwise", () => {
    const { hub, enter } = hubOf();
    const { socket, checkIn, connection } = enter();
    checkIn();
    hub.occupy(["d-0000" as DeviceId], silent).pause("d-0000" as DeviceId);
    hub.refuse(connection, "revoked", "");
    expect(socket.paused).toBe(false);
  });
});

describe("the heartbeat", () => {
  it("pings every connection about once in a heartbeat, and ends those that are silent", () => {
    const { hub, clock, enter } = hubOf({ devices: 60 });
    const peers = Array.from({ length: 60 }, () => enter());
    const deaf = peers[7];
    for (let beat = 0; beat < 120; beat++) {
      clock.advance(HEARTBEAT / 30);
      for (const peer of peers) if (peer !== deaf) hub.heard(peer.connection);
      hub.beat();
    }
    const pings = peers.filter((peer) => peer !== deaf).map(({ socket }) => socket.pings);
    expect(Math.min(...pings)).toBeGreaterThanOrEqual(2);
    expect(Math.max(...pings)).toBeLessThanOrEqual(5);
    expect(deaf.socket.terminated).toBe(true);
    expect(hub.connected).toBe(59);
  });

  it("lets a device that is held back know that it is waited for, and does not judge its silence", () => {
    const { hub, clock, enter } = hubOf();
    const { socket, checkIn } = enter();
    checkIn();
    const links = hub.occupy(["d-0000" as DeviceId], silent);
    links.pause("d-0000" as DeviceId);
    for (let beat = 0; beat < 10 * 30; beat++) {
      clock.advance(hub.beatInterval);
      hub.beat();
    }
    expect(socket.terminated).toBe(false);
    expect(socket.pings).toBeGreaterThanOrEqual(9);
    // Nor is it too late the moment that it is read again.
    links.resume("d-0000" as DeviceId);
    for (let beat = 0; beat < 2 * 30; beat++) {
      clock.advance(hub.beatInterval);
      hub.beat();
    }
    expect(socket.terminated).toBe(false);
    clock.advance(HEARTBEAT);
    for (let beat = 0; beat < 30; beat++) hub.beat();
    expect(socket.terminated).toBe(true);
  });
});

describe("who is counted on", () => {
  it("is whoever checked in, until it is gone or missed", () => {
    const { hub, enter } = hubOf();
    const [one, two] = [enter(), enter()];
    one.checkIn();
    two.checkIn();
    expect(hub.regulars).toBe(2);
    hub.occupy(["d-0000" as DeviceId], silent).release();
    expect({ waiting: hub.waitingCount, regulars: hub.regulars }).toEqual({ waiting: 1, regulars: 2 });
    hub.missAbsent();
    expect(hub.regulars).toBe(1);
    one.checkIn();
    expect(hub.regulars).toBe(2);
    hub.closed(two.connection);
    expect(hub.regulars).toBe(1);
  });
});

describe("a device that is not needed now", () => {
  it("is told when to come back, and its leaving is no loss", () => {
    const window = { min: 1000, max: 2000 };
    const { hub, enter, seen } = hubOf({ pace: () => window });
    const { socket, connection, checkIn } = enter();
    checkIn();
    expect(lastFrame(socket).header.type).toBe(FRAME_TYPES.pace);
    expect(decodePace(lastFrame(socket).body)).toEqual(window);
    expect(hub.waitingCount).toBe(0);
    hub.closed(connection);
    expect(seen.at(-1)).toBe("ended paced");
  });
});

describe("a hub that closes", () => {
  it("sends everybody away, those who come later too", () => {
    const { hub, enter, connect } = hubOf();
    const inside = enter();
    const outside = connect();
    hub.close("stopping", "The coordinator stops.", { min: 1, max: 2 });
    for (const { socket } of [inside, outside, connect()]) {
      expect(refusal(socket)).toMatchObject({ reason: "stopping", window: { min: 1, max: 2 } });
      expect(socket.closedWith?.code).toBe(1001);
    }
    expect({ sockets: hub.sockets, connected: hub.connected }).toEqual({ sockets: 0, connected: 0 });
  });

  it("ends one device's connection by its key", () => {
    const { hub, enter } = hubOf();
    const { key, socket } = enter();
    expect(hub.disconnect(toHex(key.publicKey), "revoked", "The operator revoked it.")).toBe(true);
    expect(refusal(socket).reason).toBe("revoked");
    expect(hub.disconnect(toHex(key.publicKey), "revoked", "")).toBe(false);
  });
});
