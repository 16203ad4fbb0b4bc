import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { machineTime } from "../../../cli/machine-time.ts";
import { deviceEndpoint, requireSameVersion } from "../../../server/api/device-endpoint.ts";
import { refuseUpgrade } from "../../../server/api/upgrades.ts";
import { createDeviceHub, type DeviceHub } from "../../../server/connections/device-hub.ts";
import { simulatedPlaces } from "../../../server/connections/places.ts";
import { createSendPump } from "../../../server/connections/send-pump.ts";
import { cryptoProvider } from "../../../shared/crypto/node-provider.ts";
import {
  connectMessage,
  DEVICE_PATH,
  decodeRefused,
  encodeAuthentication,
  encodeCheckIn,
  subprotocol,
} from "../../../shared/protocol/connection-messages.ts";
import { decodeFrame, encodeFrame, FRAME_TYPES, FRAME_VERSION, NO_INDEX } from "../../../shared/protocol/frame.ts";
import type { DeviceId } from "../../../shared/protocol/ids.ts";
import { steadyClock } from "../../../shared/time/steady-clock.ts";

const LARGEST = 50_000;
const HEARTBEAT = 400;
const HANDSHAKE = 600;
const STALL = 700;
const AUDIENCE = "127.0.0.1";

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const clean of cleanups.splice(0).reverse()) clean();
});

interface Endpoint {
  readonly hub: DeviceHub;
  readonly port: number;
  readonly server: Server;
  readonly ends: string[];
  readonly stalled: () => number;
}

/** The endpoint, hub and pump as the coordinator has them, with short times, behind a bare HTTP server. */
async function endpoint({ mostConnections = 10, heartbeat = HEARTBEAT } = {}): Promise<Endpoint> {
  const clock = steadyClock(machineTime);
  const ends: string[] = [];
  let stalled = 0;
  const pump = createSendPump({
    clock,
    defer: (task) => void setImmediate(task),
    patience: STALL,
    onStalled(socket) {
      stalled++;
      const connection = hub.connectionOf(socket);
      if (connection !== undefined) hub.cutOff(connection, "too-slow");
    },
  });
  const hub = createDeviceHub({
    provider: cryptoProvider,
    clock,
    wallSeconds: () => Math.floor(clock.now() / 1000),
    pump,
    places: simulatedPlaces({ seed: 1, dataset: "blobs", partition: "iid", devices: 10, dropout: 0 }),
    rules: {
      provider: cryptoProvider,
      population: "test",
      standing: () => "ok",
      enrolledCertificate: () => new Uint8Array(0),
      isOwnName: (audience) => audience === AUDIENCE,
    },
    lastPlace: () => undefined,
    remember: () => {},
    pace: () => undefined,
    heartbeat,
    handshakeTimeout: HANDSHAKE,
    observer: {
      opened: () => {},
      admitted: () => {},
      refused: () => {},
      ended: (end) => ends.push(end),
      received: () => {},
      sent: () => {},
    },
  });
  const handler = deviceEndpoint({ hub, largestFrame: LARGEST, mostConnections });
  const server = createServer();
  server.on("upgrade", async (request, socket, head) => {
    try {
      await handler.accept({ request, socket, head, address: "127.0.0.1", url: new URL("http://127.0.0.1") });
    } catch (error) {
      refuseUpgrade(socket, error as Parameters<typeof refuseUpgrade>[1]);
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const beat = setInterval(() => hub.beat(), heartbeat / 30);
  cleanups.push(() => {
    clearInterval(beat);
    pump.close();
    server.close();
    server.closeAllConnections();
  });
  return { hub, port: (server.address() as AddressInfo).port, server, ends, stalled: () => stalled };
}

function dial(port: number, version = FRAME_VERSION, options: { readonly autoPong?: boolean } = {}): WebSocket {
  const socket = new WebSocket(`ws://127.0.0.1:${port}${DEVICE_PATH}`, [subprotocol(version)], options);
  cleanups.push(() => socket.terminate());
  socket.on("error", () => {});
  return socket;
}

interface Peer {
  readonly socket: WebSocket;
  readonly frames: Uint8Array[];
  readonly closed: Promise<number>;
}

/** A device that has authenticated and checked in. */
async function enter(port: number, options?: { readonly autoPong: boolean }): Promise<Peer> {
  const socket = dial(port, FRAME_VERSION, options);
  const frames: Uint8Array[] = [];
  const closed = once(socket, "close").then(([code]) => code as number);
  const welcomed = new Promise<void>((resolve, reject) => {
    socket.on("message", (data: Buffer) => {
      const frame = new Uint8Array(data);
      frames.push(frame);
      const { header } = decodeFrame(frame);
      if (header.type === FRAME_TYPES.challenge) socket.send(authenticate(header.binding));
      if (header.type !== FRAME_TYPES.welcome) return;
      socket.send(encodeCheckIn(header.binding));
      resolve();
    });
    socket.on("close", () => reject(new Error("it was not let in")));
  });
  await welcomed;
  return { socket, frames, closed };
}

function authenticate(nonce: Uint8Array): Uint8Array {
  const key = cryptoProvider.generateEd25519();
  const certificate = new Uint8Array(0);
  const signature = key.sign(connectMessage(nonce, { population: "test", audience: AUDIENCE, certificate }));
  return encodeAuthentication(nonce, {
    idPk: key.publicKey,
    certificate,
    audience: AUDIENCE,
    software: "test",
    signature,
  });
}

async function until(condition: () => boolean, patience = 5_000): Promise<void> {
  const deadline = Date.now() + patience;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error("it does not come about");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const frameOf = (bytes: number) =>
  encodeFrame(
    {
      type: FRAME_TYPES.model,
      flags: 0,
      roundId: new Uint8Array(16),
      binding: new Uint8Array(32),
      sender: NO_INDEX,
      sequence: 0,
    },
    new Uint8Array(bytes),
  );

describe("a device's version of the protocol", () => {
  it("has to be the coordinator's, and the answer says which side is older", async () => {
    expect(() => requireSameVersion(subprotocol(FRAME_VERSION))).not.toThrow();
    expect(() => requireSameVersion(`other, ${subprotocol(FRAME_VERSION)}`)).not.toThrow();
    expect(() => requireSameVersion(subprotocol(FRAME_VERSION - 1))).toThrow(/the device is older/);
    expect(() => requireSameVersion(subprotocol(FRAME_VERSION + 1))).toThrow(/the coordinator is older/);
    expect(() => requireSameVersion(undefined)).toThrow(/murmuration\.2/);

    const { port } = await endpoint();
    const socket = dial(port, FRAME_VERSION + 1);
    const [, response] = await once(socket, "unexpected-response");
    expect(response.statusCode).toBe(426);
    const body = JSON.parse(String((await response.toArray()).join("")));
    expect(body).toMatchObject({ ok: false, name: "protocol-version" });
    expect(body.message).toContain("the coordinator is older");
  });
});

describe("a peer", () => {
  it("that sends text is sent away", async () => {
    const { hub, port, ends } = await endpoint();
    const { socket, frames, closed } = await enter(port);
    socket.send("hello");
    expect(await closed).toBe(1008);
    expect(decodeRefused(decodeFrame(frames.at(-1)!).body).reason).toBe("malformed");
    expect({ ends, sockets: hub.sockets }).toEqual({ ends: ["malformed"], sockets: 0 });
  });

  it("whose frame is longer than any of the task is cut off before it fills the memory", async () => {
    const { port, ends } = await endpoint();
    const { socket, closed } = await enter(port);
    const rss = process.memoryUsage().arrayBuffers;
    socket.send(new Uint8Array(64 << 20));
    expect([1006, 1009]).toContain(await closed);
    expect(ends).toEqual(["oversize"]);
    // The peer's own copies are in this process too; the coordinator's would come on top of them.
    expect(process.memoryUsage().arrayBuffers - rss).toBeLessThan(160 << 20);
  });

  it("that may send as much as the task needs does", async () => {
    const { port, ends } = await endpoint();
    const { socket } = await enter(port);
    socket.send(frameOf(LARGEST - 64));
    socket.ping();
    await once(socket, "pong");
    expect(ends).toEqual([]);
  });

  it("that says nothing is sent away after the time that it has to authenticate", async () => {
    const { hub, port, ends } = await endpoint();
    const socket = dial(port);
    const [code] = await once(socket, "close");
    expect(code).toBe(1008);
    expect({ ends, sockets: hub.sockets }).toEqual({ ends: ["too-slow"], sockets: 0 });
  });

  it("that trickles its answer a byte at a time is sent away too", async () => {
    const { hub, port, ends } = await endpoint();
    const { write } = await rawUpgrade(port);
    // A masked binary frame of 300 bytes is announced.
    write(Buffer.from([0x82, 0xfe, 0x01, 0x2c, 0, 0, 0, 0]));
    const trickle = setInterval(() => write(Buffer.of(0)), 20);
    cleanups.push(() => clearInterval(trickle));
    await until(() => ends.length > 0);
    expect({ ends, sockets: hub.sockets }).toEqual({ ends: ["too-slow"], sockets: 0 });
  });

  it("that stops in the middle of a frame once it is let in is found by the heartbeat", async () => {
    const { port, ends } = await endpoint();
    // It reads, but can no longer answer a ping: that would have to come after the rest of the frame.
    const { socket } = await enter(port, { autoPong: false });
    const raw = (socket as unknown as { _socket: Socket })._socket;
    raw.write(Buffer.from([0x82, 0xfe, 0x10, 0x00, 0, 0, 0, 0, 1, 2, 3]));
    await until(() => ends.length > 0);
    expect(ends).toEqual(["too-slow"]);
  });

  it("that breaks the rules of WebSocket frames is sent away", async () => {
    const { port, ends } = await endpoint();
    const { write } = await rawUpgrade(port);
    // Not masked, which a client's frame has to be.
    write(Buffer.from([0x82, 0x01, 0x00]));
    await until(() => ends.length > 0);
    expect(ends).toEqual(["malformed"]);
  });

  it("that is gone without a word is no longer there", async () => {
    const { hub, port, ends } = await endpoint();
    const { socket } = await enter(port);
    await until(() => hub.waitingCount === 1);
    socket.terminate();
    await until(() => hub.sockets === 0);
    expect(ends).toEqual(["left"]);
  });

  it("that nobody knows may send a few thousand bytes, however it frames them", async () => {
    const { hub, port, ends } = await endpoint();
    const peers = await Promise.all(Array.from({ length: 8 }, () => rawUpgrade(port)));
    for (const { write } of peers) {
      // A frame of 49,000 bytes is announced, which is allowed, and all but its last byte is sent.
      write(Buffer.from([0x82, 0xfe, 0xbf, 0x68, 0, 0, 0, 0]));
      write(Buffer.alloc(48_999));
    }
    await until(() => hub.sockets === 0, HANDSHAKE - 100);
    expect(ends).toEqual(Array(8).fill("oversize"));
  });

  it("that is one too many is told so", async () => {
    const { port } = await endpoint({ mostConnections: 1 });
    await enter(port);
    const [, response] = await once(dial(port), "unexpected-response");
    expect(response.statusCode).toBe(503);
  });

  it("that reads nothing is terminated and counted, and holds up nobody else", async () => {
    const { hub, port, ends, stalled } = await endpoint({ heartbeat: 60_000 });
    const [deaf, quick] = [await enter(port), await enter(port)];
    await until(() => hub.waitingCount === 2);
    const frame = frameOf(4 << 20);
    const links = hub.occupy(["d-0000", "d-0001"] as DeviceId[], { frame: () => {}, gone: () => {} });
    deaf.socket.pause();
    // More than the operating system's buffers on loopback hide.
    for (let i = 0; i < 12; i++) for (const device of ["d-0000", "d-0001"] as DeviceId[]) links.send(device, frame);
    await until(() => quick.frames.length === 2 + 12, 20_000);
    await until(() => stalled() === 1, 20_000);
    await until(() => hub.sockets === 1);
    expect(ends).toEqual(["too-slow"]);
    expect(quick.frames.at(-1)!.length).toBe(frame.length);
  });
});

describe("an upload that waits for its turn", () => {
  it("stays outside: the coordinator reads nothing of it", async () => {
    const { hub, port } = await endpoint();
    const { socket } = await enter(port);
    await until(() => hub.waitingCount === 1);
    let received = 0;
    const links = hub.occupy(["d-0000" as DeviceId], {
      frame: (_, frame) => {
        received += frame.length;
      },
      gone: () => {},
    });
    links.pause("d-0000" as DeviceId);
    for (let i = 0; i < 100; i++) socket.send(frameOf(LARGEST - 64));
    await new Promise((resolve) => setTimeout(resolve, 300));
    // What was in the parser when it was paused may still come.
    expect(received).toBeLessThan(4 * LARGEST);
    links.resume("d-0000" as DeviceId);
    await until(() => received === 100 * LARGEST);
  });
});

/** A WebSocket that is opened by hand, and may break every rule. */
async function rawUpgrade(port: number): Promise<{ readonly write: (bytes: Buffer) => void }> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  cleanups.push(() => socket.destroy());
  await once(socket, "connect");
  socket.write(
    [
      `GET ${DEVICE_PATH} HTTP/1.1`,
      "Host: 127.0.0.1",
      "Upgrade: websocket",
      "Connection: Upgrade",
      "Sec-WebSocket-Version: 13",
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
      `Sec-WebSocket-Protocol: ${subprotocol(FRAME_VERSION)}`,
      "\r\n",
    ].join("\r\n"),
  );
  await once(socket, "data");
  return { write: (bytes) => void socket.write(bytes) };
}
