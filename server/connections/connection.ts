import type { ReturnWindow } from "../../shared/protocol/connection-messages.ts";
import type { DeviceId } from "../../shared/protocol/ids.ts";
import type { ConnectionEnd, Refusal } from "../../shared/protocol/reasons.ts";
import type { ConnectionLoss } from "../round.ts";
import type { DeviceSocket } from "./device-socket.ts";

/** A round hears of its devices here. */
export interface RoundListener {
  frame(device: DeviceId, frame: Uint8Array): void;
  gone(device: DeviceId, loss: ConnectionLoss): void;
}

/** A round's hold on its devices' connections. What concerns one that is gone is ignored. */
export interface RoundLinks {
  send(device: DeviceId, frame: Uint8Array): void;
  pause(device: DeviceId): void;
  resume(device: DeviceId): void;
  /** The round is over: who is still there reads on, and may check in again. */
  release(): void;
}

/** One connection of a device. Its fields are the hub's to change. */
export interface Connection {
  readonly socket: DeviceSocket;
  readonly address: string;
  readonly nonce: Uint8Array;
  phase: "challenged" | "open" | "ended";
  idPk: Uint8Array | undefined;
  /** Seconds since 1970 until which the device's certificate holds; without one, for ever. */
  certifiedUntil: number;
  device: DeviceId | undefined;
  checkedIn: boolean;
  paced: boolean;
  round: RoundListener | undefined;
  lastHeard: number;
  /** Frames since the last check-in that belong to no round. */
  stray: number;
  cancelHandshake: (() => void) | undefined;
}

export function newConnection(socket: DeviceSocket, address: string, nonce: Uint8Array, now: number): Connection {
  return {
    socket,
    address,
    nonce,
    phase: "challenged",
    idPk: undefined,
    certifiedUntil: Number.POSITIVE_INFINITY,
    device: undefined,
    checkedIn: false,
    paced: false,
    round: undefined,
    lastHeard: now,
    stray: 0,
    cancelHandshake: undefined,
  };
}

/** A device that broke the rules of a connection, or is not let in: the connection ends. */
export class ConnectionFault extends Error {
  override readonly name = "ConnectionFault";
  readonly reason: Refusal;
  readonly window: ReturnWindow | undefined;

  constructor(reason: Refusal, message: string, window?: ReturnWindow) {
    super(message);
    this.reason = reason;
    this.window = window;
  }
}

/** What the end of a connection is to a round that the device was in. */
export function lossOf(end: ConnectionEnd): ConnectionLoss {
  switch (end) {
    case "malformed":
    case "oversize":
      return end;
    case "too-slow":
      return "deadline";
    default:
      return "disconnected";
  }
}
