/** One device's socket, as the coordinator uses it: whole binary frames, back-pressure, and nothing of the transport. */
export interface DeviceSocket {
  /** Hands over one frame; `done` is called once the operating system has taken it, or never will. */
  send(frame: Uint8Array, done: () => void): void;
  /** Bytes that were handed over and that the operating system has not taken yet. */
  readonly buffered: number;
  ping(): void;
  /** Stops reading; what the peer sends then waits in the operating systems. */
  pause(): void;
  resume(): void;
  readonly paused: boolean;
  /** Closes once what was handed over is sent. */
  close(code: CloseCode, reason: string): void;
  /** Closes at once. */
  terminate(): void;
}

/** RFC 6455 section 7.4.1. */
export const CLOSE_CODES = { goingAway: 1001, policy: 1008 } as const;
export type CloseCode = (typeof CLOSE_CODES)[keyof typeof CLOSE_CODES];
