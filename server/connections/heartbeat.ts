import type { Clock } from "../../shared/time/clock.ts";
import type { Connection } from "./connection.ts";

export interface Heartbeat {
  /** Looks after the next few connections. To be called every {@link interval}. */
  beat(): void;
  /** Milliseconds. */
  readonly interval: number;
}

export interface HeartbeatOptions {
  /** In the order in which they came; it may change at any time. */
  readonly connections: ReadonlySet<Connection>;
  readonly clock: Clock;
  /** Within which each side hears of the other. */
  readonly milliseconds: number;
  /** Nothing was heard of it for two and a half heartbeats. */
  onSilent(connection: Connection): void;
  /** Once a heartbeat for each other. */
  onBeat(connection: Connection): void;
}

/** A heartbeat is spread over so many turns: pinging ten thousand sockets at once would hold up everybody. */
const BEATS = 30;

export function createHeartbeat({ connections, clock, milliseconds, onSilent, onBeat }: HeartbeatOptions): Heartbeat {
  let around: Iterator<Connection> = connections.values();

  function next(): Connection | undefined {
    const { done, value } = around.next();
    if (done !== true) return value;
    around = connections.values();
    const first = around.next();
    return first.done === true ? undefined : first.value;
  }

  return {
    interval: milliseconds / BEATS,
    beat() {
      const now = clock.now();
      for (let left = Math.ceil(connections.size / BEATS); left > 0; left--) {
        const connection = next();
        if (connection === undefined) return;
        if (connection.phase !== "open") continue;
        // Who is held back cannot be heard, but has to hear that it is waited for.
        if (!connection.socket.paused && now - connection.lastHeard > 2.5 * milliseconds) {
          onSilent(connection);
          continue;
        }
        connection.socket.ping();
        onBeat(connection);
      }
    },
  };
}
