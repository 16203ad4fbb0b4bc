import type { DeviceSocket } from "../../../server/connections/device-socket.ts";

export interface FakeSocket extends DeviceSocket {
  /** Frames that were handed over, in order. */
  readonly frames: Uint8Array[];
  readonly pings: number;
  closedWith: { code: number; reason: string } | undefined;
  terminated: boolean;
  /** Whether the peer reads: the operating system then takes everything at once. */
  reads: boolean;
  /** Takes so many bytes of what waits. */
  drain(bytes: number): void;
}

export function fakeSocket(): FakeSocket {
  const frames: Uint8Array[] = [];
  let waiting: { left: number; readonly done: () => void }[] = [];
  let paused = false;
  let pings = 0;
  const socket: FakeSocket = {
    frames,
    closedWith: undefined,
    terminated: false,
    reads: true,
    get pings() {
      return pings;
    },
    send(frame, done) {
      frames.push(frame);
      if (socket.reads) done();
      else waiting.push({ left: frame.length, done });
    },
    get buffered() {
      return waiting.reduce((sum, { left }) => sum + left, 0);
    },
    ping() {
      pings++;
    },
    pause() {
      paused = true;
    },
    resume() {
      paused = false;
    },
    get paused() {
      return paused;
    },
    close(code, reason) {
      socket.closedWith = { code, reason };
    },
    terminate() {
      socket.terminated = true;
    },
    drain(bytes) {
      for (let left = bytes; left > 0 && waiting.length > 0; ) {
        const taken = Math.min(left, waiting[0].left);
        waiting[0].left -= taken;
        left -= taken;
        if (waiting[0].left === 0) {
          const [{ done }] = waiting;
          waiting = waiting.slice(1);
          done();
        }
      }
    },
  };
  return socket;
}
