import { equalBytes, toHex } from "../../shared/crypto/bytes.ts";
import type { CryptoProvider } from "../../shared/crypto/provider.ts";
import {
  decodeAuthentication,
  encodeChallenge,
  encodePace,
  encodeRefused,
  encodeWelcome,
  type ReturnWindow,
} from "../../shared/protocol/connection-messages.ts";
import { decodeFrame, FRAME_TYPES, FrameError, frameType } from "../../shared/protocol/frame.ts";
import type { DeviceId } from "../../shared/protocol/ids.ts";
import type { ConnectionEnd, Refusal } from "../../shared/protocol/reasons.ts";
import type { Clock } from "../../shared/time/clock.ts";
import { type AdmissionRules, admit } from "./admission.ts";
import {
  type Connection,
  ConnectionFault,
  lossOf,
  newConnection,
  type RoundLinks,
  type RoundListener,
} from "./connection.ts";
import { CLOSE_CODES, type DeviceSocket } from "./device-socket.ts";
import { createHeartbeat } from "./heartbeat.ts";
import { occupyConnections } from "./occupation.ts";
import type { Places } from "./places.ts";
import type { SendPump } from "./send-pump.ts";

/**
 * The devices that are connected: lets them in, one connection for a key, knows who waits to be invited, and carries a
 * round's frames. No I/O: sockets, pump, clock and registry are passed in.
 *
 * ```
 *  open ─CHALLENGE─► challenged ─AUTHENTICATE─► open, under a name ─CHECK_IN─► waiting ─occupy─► in a round
 *                        └───────────────────────────┴──── refused, replaced, too slow, gone ──► ended
 * ```
 */
export interface DeviceHub {
  /** A socket that has just been accepted. */
  open(socket: DeviceSocket, address: string): Connection;
  received(connection: Connection, frame: Uint8Array): void;
  /** The peer showed that it is alive. */
  heard(connection: Connection): void;
  /** The socket is gone. */
  closed(connection: Connection): void;
  /** Sends a connection away, with a word why. */
  refuse(connection: Connection, reason: Refusal, message: string): void;
  /** Ends at once a connection that reads nothing, or broke the rules of the transport: it can be told nothing more. */
  cutOff(connection: Connection, reason: Extract<Refusal, "too-slow" | "malformed" | "oversize">): void;
  /** Whose socket it is. */
  connectionOf(socket: DeviceSocket): Connection | undefined;
  /** Pings the next few connections, and ends those that are silent. To be called every {@link beatInterval}. */
  beat(): void;
  /** Milliseconds. */
  readonly beatInterval: number;
  /** Sockets, let in or not. */
  readonly sockets: number;
  /** Devices that are let in. */
  readonly connected: number;
  /** Who has checked in and is in no round, with its key. */
  waiting(): { readonly device: DeviceId; readonly idPk: Uint8Array }[];
  readonly waitingCount: number;
  /** Devices that have checked in on their connection, and have not been missed since: they will again. */
  readonly regulars: number;
  /** No longer counts on those who do not wait now. */
  missAbsent(): void;
  /** Called when somebody came, checked in or went. */
  onChange(listener: () => void): () => void;
  /** Takes devices that wait into a round, until it is over. */
  occupy(devices: readonly DeviceId[], listener: RoundListener): RoundLinks;
  /** Once everything that was sent until now has been handed to the sockets. */
  handedOver(): Promise<void>;
  /** Ends the connection of a key, if it has one. */
  disconnect(publicKey: string, reason: Refusal, message: string): boolean;
  /** Refuses everybody, now and from now on. */
  close(reason: Extract<Refusal, "stopping" | "finished">, message: string, window?: ReturnWindow): void;
}

/** Told what happens, for the log and the metrics. */
export interface HubObserver {
  opened(): void;
  admitted(device: DeviceId, address: string, software: string): void;
  refused(reason: Refusal, address: string, device: DeviceId | undefined): void;
  ended(end: ConnectionEnd, device: DeviceId | undefined): void;
  received(bytes: number): void;
  sent(bytes: number): void;
}

export interface DeviceHubOptions {
  readonly provider: CryptoProvider;
  /** For who is alive: nobody sets it. */
  readonly clock: Clock;
  /** Seconds since 1970 by the machine's clock, for what expires. */
  wallSeconds(): number;
  readonly pump: SendPump;
  readonly places: Places;
  readonly rules: AdmissionRules;
  /** The place that a key had last, and a note of the one that it has now. */
  lastPlace(idPk: Uint8Array): string | undefined;
  remember(idPk: Uint8Array, device: DeviceId): void;
  /** When a device that checks in should rather come back; undefined when it may wait. */
  pace(waiting: number): ReturnWindow | undefined;
  readonly heartbeat: number;
  readonly handshakeTimeout: number;
  readonly observer: HubObserver;
}

/** Late frames of a round that went on without the device: the chunks of one upload, not more. */
const MOST_STRAY_FRAMES = 4096;
/** Whoever was too slow once may have been kept waiting. */
const SLOW_WINDOW: ReturnWindow = { min: 500, max: 5_000 };
/** A device that finds no place comes back in a quarter of an hour, give or take a fifth (`fleet.md` 3.1). */
const NO_PLACE_WINDOW: ReturnWindow = { min: 720_000, max: 1_080_000 };

export function createDeviceHub(options: DeviceHubOptions): DeviceHub {
  const { provider, clock, pump, places, observer } = options;
  const connections = new Set<Connection>();
  const byKey = new Map<string, Connection>();
  const byDevice = new Map<DeviceId, Connection>();
  const waiting = new Set<Connection>();
  const regulars = new Set<Connection>();
  const listeners = new Set<() => void>();
  let closing: { readonly reason: Refusal; readonly message: string; readonly window?: ReturnWindow } | undefined;

  function changed(): void {
    for (const listener of [...listeners]) listener();
  }

  function send(connection: Connection, frame: Uint8Array): void {
    if (connection.phase === "ended") return;
    observer.sent(frame.length);
    pump.push(connection.socket, frame);
  }

  /** Takes the connection out of everything; the round, if it was in one, goes on without it. */
  function forget(connection: Connection, end: ConnectionEnd): void {
    if (connection.phase === "ended") return;
    connection.phase = "ended";
    connection.cancelHandshake?.();
    connections.delete(connection);
    waiting.delete(connection);
    regulars.delete(connection);
    const { idPk, device, round } = connection;
    if (idPk !== undefined && byKey.get(toHex(idPk)) === connection) byKey.delete(toHex(idPk));
    if (device !== undefined && byDevice.get(device) === connection) {
      byDevice.delete(device);
      places.leave(device);
    }
    observer.ended(end, device);
    connection.round = undefined;
    if (device !== undefined) round?.gone(device, lossOf(end));
    changed();
  }

  function refuse(connection: Connection, reason: Refusal, message: string, window?: ReturnWindow): void {
    if (connection.phase === "ended") return;
    const { socket, nonce, address, device } = connection;
    observer.refused(reason, address, device);
    forget(connection, reason);
    // A peer that was held back has to be read again, or its side of the closing would never be.
    socket.resume();
    const frame = encodeRefused(nonce, { reason, message, ...(window === undefined ? {} : { window }) });
    observer.sent(frame.length);
    socket.send(frame, () => {});
    socket.close(reason === "stopping" || reason === "finished" ? CLOSE_CODES.goingAway : CLOSE_CODES.policy, reason);
  }

  function authenticate(connection: Connection, frame: Uint8Array): void {
    const { header, body } = decodeFrame(frame);
    if (header.type !== FRAME_TYPES.authenticate || !equalBytes(header.binding, connection.nonce)) {
      throw new ConnectionFault("malformed", "The first frame has to answer this connection's challenge.");
    }
    const authentication = decodeAuthentication(body);
    const admission = admit(options.rules, connection.nonce, authentication, options.wallSeconds());
    if (!admission.ok) throw new ConnectionFault(admission.reason, admission.message);
    const { idPk } = authentication;
    const key = toHex(idPk);
    const before = byKey.get(key);
    // The newer one is alive for certain; the older may be one whose end was never heard of.
    if (before !== undefined) refuse(before, "replaced", "The same device has authenticated on another connection.");
    const place = places.take(options.lastPlace(idPk));
    if (place === undefined) {
      throw new ConnectionFault("fleet-full", `All ${places.size} places of the fleet are taken.`, NO_PLACE_WINDOW);
    }
    connection.cancelHandshake?.();
    connection.cancelHandshake = undefined;
    connection.phase = "open";
    connection.idPk = idPk;
    connection.certifiedUntil = admission.until;
    connection.device = place.device;
    byKey.set(key, connection);
    byDevice.set(place.device, connection);
    options.remember(idPk, place.device);
    observer.admitted(place.device, connection.address, authentication.software.slice(0, 80));
    send(connection, encodeWelcome(connection.nonce, place));
    changed();
  }

  function checkIn(connection: Connection, frame: Uint8Array): void {
    const { header, body } = decodeFrame(frame);
    if (body.length !== 0 || !equalBytes(header.binding, connection.nonce)) {
      throw new ConnectionFault("malformed", "A check-in that is not this connection's.");
    }
    connection.stray = 0;
    requireCertified(connection);
    const window = options.pace(waiting.size);
    if (window !== undefined) {
      connection.paced = true;
      send(connection, encodePace(connection.nonce, window));
      return;
    }
    connection.checkedIn = true;
    regulars.add(connection);
    if (connection.round === undefined) waiting.add(connection);
    changed();
  }

  /** A certificate may end while its device is connected. */
  function requireCertified({ certifiedUntil }: Connection): void {
    if (options.wallSeconds() < certifiedUntil) return;
    throw new ConnectionFault("uncertified", "The device's certificate has expired.");
  }

  /** Runs what a peer caused; what it did wrong ends its connection, and nothing else. */
  function attempt(connection: Connection, act: () => void): void {
    try {
      act();
    } catch (error) {
      if (error instanceof ConnectionFault) refuse(connection, error.reason, error.message, error.window);
      else if (error instanceof FrameError) refuse(connection, "malformed", `${error.message}.`);
      else throw error;
    }
  }

  function cutOff(connection: Connection, reason: Refusal): void {
    if (connection.phase === "ended") return;
    observer.refused(reason, connection.address, connection.device);
    forget(connection, reason);
    connection.socket.terminate();
  }

  /** Reads it again. What it said meanwhile is only now on its way. */
  function resume(connection: Connection): void {
    if (!connection.socket.paused) return;
    connection.lastHeard = clock.now();
    connection.socket.resume();
  }

  function receive(connection: Connection, frame: Uint8Array): void {
    const { device, round } = connection;
    if (connection.phase === "challenged") authenticate(connection, frame);
    else if (frameType(frame) === FRAME_TYPES.checkIn) checkIn(connection, frame);
    else if (device !== undefined && round !== undefined) round.frame(device, frame);
    // Of a round that went on without it: discarded unread.
    else if (++connection.stray > MOST_STRAY_FRAMES) {
      throw new ConnectionFault("malformed", "Too many frames outside of a round.");
    }
  }

  const heartbeat = createHeartbeat({
    connections,
    clock,
    milliseconds: options.heartbeat,
    onSilent: (connection) => cutOff(connection, "too-slow"),
    onBeat(connection) {
      if (connection.round === undefined) attempt(connection, () => requireCertified(connection));
    },
  });

  return {
    get sockets() {
      return connections.size;
    },
    get connected() {
      return byDevice.size;
    },
    get waitingCount() {
      return waiting.size;
    },
    get regulars() {
      return regulars.size;
    },
    handedOver: () => pump.handedOver(),
    missAbsent() {
      for (const connection of regulars) if (!waiting.has(connection)) regulars.delete(connection);
    },
    waiting: () => [...waiting].flatMap(({ device, idPk }) => (device && idPk ? [{ device, idPk }] : [])),
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    open(socket, address) {
      const connection = newConnection(socket, address, provider.random.bytes(32), clock.now());
      connections.add(connection);
      observer.opened();
      if (closing !== undefined) {
        refuse(connection, closing.reason, closing.message, closing.window);
        return connection;
      }
      connection.cancelHandshake = clock.after(options.handshakeTimeout, () =>
        refuse(connection, "too-slow", "The device did not authenticate in time.", SLOW_WINDOW),
      );
      const { population } = options.rules;
      send(connection, encodeChallenge({ nonce: connection.nonce, population, heartbeat: options.heartbeat }));
      return connection;
    },
    received(connection, frame) {
      if (connection.phase === "ended") return;
      connection.lastHeard = clock.now();
      observer.received(frame.length);
      attempt(connection, () => receive(connection, frame));
    },
    heard(connection) {
      connection.lastHeard = clock.now();
    },
    closed: (connection) => forget(connection, connection.paced ? "paced" : "left"),
    refuse: (connection, reason, message) => refuse(connection, reason, message),
    cutOff,
    connectionOf: (socket) => [...connections].find((connection) => connection.socket === socket),
    beat: heartbeat.beat,
    beatInterval: heartbeat.interval,
    occupy(devices, listener) {
      const held = devices.flatMap((device) => byDevice.get(device) ?? []);
      for (const connection of held) {
        connection.checkedIn = false;
        waiting.delete(connection);
      }
      return occupyConnections(held, listener, {
        send,
        resume,
        released(connection) {
          if (connection.checkedIn) waiting.add(connection);
        },
        done: changed,
      });
    },
    disconnect(publicKey, reason, message) {
      const connection = byKey.get(publicKey);
      if (connection === undefined) return false;
      refuse(connection, reason, message);
      return true;
    },
    close(reason, message, window) {
      closing = { reason, message, ...(window === undefined ? {} : { window }) };
      for (const connection of [...connections]) refuse(connection, reason, message, window);
    },
  };
}
