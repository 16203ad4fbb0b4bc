import type { Clock } from "../../shared/time/clock.ts";
import type { DeviceSocket } from "./device-socket.ts";

/**
 * Sends frames to many sockets without starving anything else (`fleet.md` 5.2): a few sends in flight, and the event loop
 * gets a turn after each. (`ws` calls back before the next turn when the operating system takes the bytes at once, so a
 * chain of callbacks alone would hold up timers and sockets for the whole of a broadcast.)
 */
export interface SendPump {
  /** Frames to one socket leave in the order of the calls. */
  push(socket: DeviceSocket, frame: Uint8Array): void;
  /** Frames that have not been handed to their socket yet. */
  readonly queued: number;
  /** Once every frame that was pushed until now has been handed to its socket, or the pump is closed. */
  handedOver(): Promise<void>;
  close(): void;
}

export interface SendPumpOptions {
  readonly clock: Clock;
  /** Runs a task after everything that waits now. */
  defer(task: () => void): void;
  /** A peer that has taken nothing of what it was sent for this long has stopped reading, milliseconds. */
  readonly patience: number;
  /** Told once of each such peer. */
  onStalled(socket: DeviceSocket): void;
  readonly inFlight?: number;
}

const IN_FLIGHT = 8;
/** A send that takes longer gives its place to others; the peer is watched from then on. */
const SLOW_MS = 500;

interface Sending {
  readonly socket: DeviceSocket;
  readonly since: number;
  /** Whether it has given up its place. */
  yielded: boolean;
  /** The least that was left to send so far, and since when. */
  left: number;
  leftSince: number;
}

export function createSendPump({ clock, defer, patience, onStalled, inFlight = IN_FLIGHT }: SendPumpOptions): SendPump {
  let queue: { readonly socket: DeviceSocket; readonly frame: Uint8Array }[] = [];
  let head = 0;
  let places = inFlight;
  let scheduled = 0;
  let cancelCheck: (() => void) | undefined;
  let pushed = 0;
  let handed = 0;
  /** In the order of what they wait for. */
  let waiting: { readonly until: number; readonly resolve: () => void }[] = [];
  const sending = new Set<Sending>();

  /** One turn of the event loop for each send that can start. */
  function schedule(): void {
    if (scheduled >= places) return;
    scheduled++;
    defer(next);
  }

  function next(): void {
    scheduled--;
    if (places === 0 || head === queue.length) return;
    const { socket, frame } = queue[head];
    head++;
    if (head === queue.length || head > 1024) {
      queue = queue.slice(head);
      head = 0;
    }
    places--;
    const now = clock.now();
    const entry: Sending = { socket, since: now, yielded: false, left: Number.POSITIVE_INFINITY, leftSince: now };
    sending.add(entry);
    watch();
    socket.send(frame, () => finish(entry));
    handed++;
    while (waiting.length > 0 && waiting[0].until <= handed) waiting.shift()?.resolve();
  }

  function finish(entry: Sending): void {
    if (!sending.delete(entry)) return;
    if (!entry.yielded) freePlace();
  }

  function freePlace(): void {
    places++;
    if (head < queue.length) schedule();
  }

  /** Looks after sends that do not end by themselves, only while there are any. */
  function watch(): void {
    cancelCheck ??= clock.after(SLOW_MS, () => {
      cancelCheck = undefined;
      const now = clock.now();
      for (const entry of [...sending]) if (sending.has(entry)) check(entry, now);
      if (sending.size > 0) watch();
    });
  }

  function check(entry: Sending, now: number): void {
    const { buffered } = entry.socket;
    if (buffered < entry.left) {
      entry.left = buffered;
      entry.leftSince = now;
    }
    if (!entry.yielded && now - entry.since >= SLOW_MS) {
      entry.yielded = true;
      freePlace();
    }
    if (now - entry.leftSince < patience) return;
    // All that is on its way to this peer ends with it.
    for (const other of [...sending]) if (other.socket === entry.socket) finish(other);
    onStalled(entry.socket);
  }

  return {
    push(socket, frame) {
      pushed++;
      queue.push({ socket, frame });
      schedule();
    },
    get queued() {
      return queue.length - head;
    },
    handedOver() {
      if (handed === pushed) return Promise.resolve();
      return new Promise((resolve) => void waiting.push({ until: pushed, resolve }));
    },
    close() {
      cancelCheck?.();
      for (const { resolve } of waiting) resolve();
      waiting = [];
      handed = pushed;
      queue = [];
      head = 0;
      sending.clear();
    },
  };
}
