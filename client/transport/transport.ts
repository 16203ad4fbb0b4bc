import type { MurmurError } from "../../shared/protocol/errors.ts";

/**
 * What carries a device's frames: a WebSocket of Node or of a browser, or a test's. One connection is opened, carries
 * frames, and ends once.
 */
export interface Transport {
  /** Frames arrive in order, or not at all. */
  send(frame: Uint8Array): void;
  /** Says goodbye once everything that was sent has left, and then ends. */
  close(): void;
  /** Ends at once. */
  destroy(): void;
}

/** None of these is called before `Dial` has returned. */
export interface TransportEvents {
  opened(): void;
  /** The array is the receiver's. */
  frame(bytes: Uint8Array): void;
  /** A sign of life that is no frame. */
  heard(): void;
  /** Exactly once, and nothing after it. */
  ended(end: TransportEnd): void;
}

export interface TransportEnd {
  /** One sentence. */
  readonly detail: string;
  /** Absent: trying again may help. */
  readonly error?: MurmurError;
  /** Milliseconds for which the other side asked not to be tried again. */
  readonly retryAfter?: number;
}

/** Opens a connection to the coordinator. Failing to is an end like any other. */
export type Dial = (events: TransportEvents) => Transport;
