import { monitorEventLoopDelay } from "node:perf_hooks";

/** Seconds of a clock that all processes of this machine share. */
export function sharedSeconds(): number {
  return Number(process.hrtime.bigint()) / 1e9;
}

/** Seconds of CPU, user and system, that this process has used. */
export function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** Bytes of this process that are in memory, without its garbage. Wants `--expose-gc`. */
export function residentBytes(): number {
  globalThis.gc?.();
  globalThis.gc?.();
  return process.memoryUsage.rss();
}

/**
 * The longest time between two turns of the event loop in which a timer could ring, as libuv itself sees it: a timer of
 * a millisecond, whose own period is in the figure. It costs no JavaScript, and nothing hides from it: long sends,
 * garbage collection, chains of callbacks, and also a processor that was given to somebody else.
 */
export function stallProbe(): { start(): Promise<void>; longestMilliseconds(): number } {
  const histogram = monitorEventLoopDelay({ resolution: 1 });
  histogram.enable();
  return {
    async start() {
      histogram.reset();
      // The first tick after a reset only sets the mark from which the next interval counts.
      await new Promise((resolve) => setTimeout(resolve, 20));
    },
    longestMilliseconds: () => histogram.max / 1e6,
  };
}

/** How a broadcast went on the server's side. */
export interface BroadcastFigures {
  readonly startedAt: number;
  readonly cpuSeconds: number;
  readonly stallMilliseconds: number;
}

export interface BroadcastMeter {
  /** Begins to measure, and runs `send` at once. */
  begin(send: () => void): Promise<void>;
  end(): BroadcastFigures;
}

export function broadcastMeter(): BroadcastMeter {
  const probe = stallProbe();
  let startedAt = 0;
  let cpuBefore = 0;
  return {
    async begin(send) {
      await probe.start();
      cpuBefore = cpuSeconds();
      startedAt = sharedSeconds();
      send();
    },
    end: () => ({
      startedAt,
      cpuSeconds: cpuSeconds() - cpuBefore,
      stallMilliseconds: probe.longestMilliseconds(),
    }),
  };
}
