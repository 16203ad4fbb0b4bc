import type { CryptoProvider } from "../crypto/provider.ts";
import { createWriter, type Reader } from "./encoding.ts";
import { encodeFrame, FRAME_TYPES, FRAME_VERSION, FrameError, type FrameType, NO_INDEX } from "./frame.ts";
import { readBody, readSeed } from "./read-body.ts";
import { REFUSALS, type Refusal } from "./reasons.ts";

/** Where devices connect, by WebSocket. */
export const DEVICE_PATH = "/v1/device";
/** Devices that one request may enrol. */
export const MOST_ENROLLED_AT_ONCE = 1000;

/** A version of the protocol, as a WebSocket's subprotocol names it. */
export function subprotocol(version: number = FRAME_VERSION): string {
  return `murmuration.${version}`;
}

/**
 * The messages of a connection, around the rounds that it carries. `docs/protocol.md` has them byte by byte.
 *
 * ```
 *  CHALLENGE ─► AUTHENTICATE ─► WELCOME ─► CHECK_IN ─► rounds … ─► PACE: come back later
 *                     └───────────┴────────────┴──► REFUSED, and the connection closes
 * ```
 *
 * Every one of them is bound to the connection's challenge: a frame of another connection is not read. They belong to
 * no round, so their roundId is zero.
 */
export interface Challenge {
  /** 32 random bytes, fresh for each connection; the binding of all its frames. */
  readonly nonce: Uint8Array;
  readonly population: string;
  /** Milliseconds within which each side hears of the other. */
  readonly heartbeat: number;
}

export interface Authentication {
  /** The device's enrolled Ed25519 key, 32 bytes. */
  readonly idPk: Uint8Array;
  /** 72 bytes at `active-server`; empty without. */
  readonly certificate: Uint8Array;
  /** The name and port that the device dialled, as in its URL: "127.0.0.1:8080". */
  readonly audience: string;
  /** Name and version of its program, for the operator's statistics. */
  readonly software: string;
  /** 64 bytes, over {@link connectMessage}. */
  readonly signature: Uint8Array;
}

export interface Welcome {
  /** What the coordinator calls this device on this connection. */
  readonly device: string;
  /** Where the task is declared a simulation: what the device is dealt. */
  readonly simulation?: DealtSimulation;
}

/** A simulated device's part of the experiment; everything in it comes from the seed, nothing is secret. */
export interface DealtSimulation {
  readonly seed: number;
  /** Its name; or, of one from files, its kind and the SHA-256 of its content: "csv:…". Never a path. */
  readonly dataset: string;
  /** "iid", "shards:2", "dirichlet:0.5", as `partitions/specification.ts` has it. */
  readonly partition: string;
  /** Devices that the data is dealt to. */
  readonly devices: number;
  /** This device's place among them, from 0. */
  readonly index: number;
  /** Chance of vanishing in a round. */
  readonly dropout: number;
}

export interface RefusedMessage {
  readonly reason: Refusal;
  /** One sentence for whoever runs the device. */
  readonly message: string;
  /** When it may come back; absent when it should not. */
  readonly window?: ReturnWindow;
}

/** Milliseconds from now: not before `min`, and not after `max`. */
export interface ReturnWindow {
  readonly min: number;
  readonly max: number;
}

/** What the device signs: who it is, to whom, now. Without the audience, whom it dials could pass it on. */
export function connectMessage(
  nonce: Uint8Array,
  {
    population,
    audience,
    certificate,
  }: Pick<Challenge, "population"> & Pick<Authentication, "audience" | "certificate">,
): Uint8Array {
  return createWriter()
    .text("murmuration-connect/1")
    .fixed(nonce, 32)
    .text(population)
    .text(audience)
    .bytes(certificate)
    .finish();
}

/** What a device signs to enrol its key with a join token (`POST /v1/enrol`). */
export function enrolMessage(
  provider: Pick<CryptoProvider, "sha256">,
  token: string,
  { audience, idPk }: Pick<Authentication, "audience" | "idPk">,
): Uint8Array {
  return createWriter()
    .text("murmuration-enrol-request/1")
    .text(audience)
    .fixed(idPk, 32)
    .fixed(provider.sha256(new TextEncoder().encode(token)), 32)
    .finish();
}

export function encodeChallenge({ nonce, population, heartbeat }: Challenge): Uint8Array {
  return connectionFrame(nonce, FRAME_TYPES.challenge, createWriter().text(population).u32(heartbeat).finish());
}

/** The nonce is the frame's binding. @throws {FrameError} */
export function decodeChallenge(binding: Uint8Array, body: Uint8Array): Challenge {
  return readBody(body, (reader) => ({ nonce: binding, population: reader.text(), heartbeat: reader.u32() }));
}

export function encodeAuthentication(nonce: Uint8Array, message: Authentication): Uint8Array {
  const body = createWriter()
    .fixed(message.idPk, 32)
    .bytes(message.certificate)
    .text(message.audience)
    .text(message.software)
    .fixed(message.signature, 64)
    .finish();
  return connectionFrame(nonce, FRAME_TYPES.authenticate, body);
}

/** @throws {FrameError} */
export function decodeAuthentication(body: Uint8Array): Authentication {
  return readBody(body, (reader) => ({
    idPk: reader.fixed(32),
    certificate: reader.bytes(),
    audience: reader.text(),
    software: reader.text(),
    signature: reader.fixed(64),
  }));
}

export function encodeWelcome(nonce: Uint8Array, { device, simulation }: Welcome): Uint8Array {
  const writer = createWriter()
    .text(device)
    .boolean(simulation !== undefined);
  if (simulation !== undefined) {
    const { seed, dataset, partition, devices, index, dropout } = simulation;
    writer.f64(seed).text(dataset).text(partition).u32(devices).u32(index).f64(dropout);
  }
  return connectionFrame(nonce, FRAME_TYPES.welcome, writer.finish());
}

/** @throws {FrameError} */
export function decodeWelcome(body: Uint8Array): Welcome {
  return readBody(body, (reader) => {
    const device = reader.text();
    if (!reader.boolean()) return { device };
    const simulation: DealtSimulation = {
      seed: readSeed(reader),
      dataset: reader.text(),
      partition: reader.text(),
      devices: reader.u32(),
      index: reader.u32(),
      dropout: reader.f64(),
    };
    if (simulation.index >= simulation.devices) throw new FrameError("a place outside of the fleet");
    if (!(simulation.dropout >= 0 && simulation.dropout <= 1)) throw new FrameError("a chance outside of 0 to 1");
    return { device, simulation };
  });
}

export function encodeRefused(nonce: Uint8Array, { reason, message, window }: RefusedMessage): Uint8Array {
  const writer = createWriter()
    .u8(REFUSALS[reason])
    .text(message)
    .boolean(window !== undefined);
  if (window !== undefined) writer.u32(window.min).u32(window.max);
  return connectionFrame(nonce, FRAME_TYPES.refused, writer.finish());
}

/** @throws {FrameError} */
export function decodeRefused(body: Uint8Array): RefusedMessage {
  return readBody(body, (reader) => {
    const reason = REFUSAL_NAMES.get(reader.u8());
    if (reason === undefined) throw new FrameError("an unknown reason of refusal");
    const message = reader.text();
    return { reason, message, ...(reader.boolean() ? { window: readWindow(reader) } : {}) };
  });
}

export function encodeCheckIn(nonce: Uint8Array): Uint8Array {
  return connectionFrame(nonce, FRAME_TYPES.checkIn, new Uint8Array(0));
}

export function encodePace(nonce: Uint8Array, { min, max }: ReturnWindow): Uint8Array {
  return connectionFrame(nonce, FRAME_TYPES.pace, createWriter().u32(min).u32(max).finish());
}

/** @throws {FrameError} */
export function decodePace(body: Uint8Array): ReturnWindow {
  return readBody(body, readWindow);
}

const REFUSAL_NAMES: ReadonlyMap<number, Refusal> = new Map(
  Object.entries(REFUSALS).map(([name, code]) => [code, name as Refusal]),
);

function readWindow(reader: Reader): ReturnWindow {
  const window = { min: reader.u32(), max: reader.u32() };
  if (window.max < window.min) throw new FrameError("a window that closes before it opens");
  return window;
}

function connectionFrame(nonce: Uint8Array, type: FrameType, body: Uint8Array): Uint8Array {
  return encodeFrame({ type, flags: 0, roundId: NO_ROUND, binding: nonce, sender: NO_INDEX, sequence: 0 }, body);
}

const NO_ROUND = new Uint8Array(16);
