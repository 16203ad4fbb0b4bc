import type { DeviceId } from "../../shared/protocol/ids.ts";
import type { Connection, RoundLinks, RoundListener } from "./connection.ts";

export interface OccupationOptions {
  send(connection: Connection, frame: Uint8Array): void;
  resume(connection: Connection): void;
  /** The round is over, and the connection is still there. */
  released(connection: Connection): void;
  /** All of them are released. */
  done(): void;
}

/**
 * Takes connections into a round. Frames to and from a device go by the connection that it had when the round began: one
 * that comes back under the same name is not in it.
 */
export function occupyConnections(
  connections: readonly Connection[],
  listener: RoundListener,
  { send, resume, released, done }: OccupationOptions,
): RoundLinks {
  const held = new Map<DeviceId, Connection>();
  for (const connection of connections) {
    connection.round = listener;
    if (connection.device !== undefined) held.set(connection.device, connection);
  }

  function connectionOf(device: DeviceId): Connection | undefined {
    const connection = held.get(device);
    return connection?.phase === "open" ? connection : undefined;
  }

  return {
    send(device, frame) {
      const connection = connectionOf(device);
      if (connection !== undefined) send(connection, frame);
    },
    pause: (device) => connectionOf(device)?.socket.pause(),
    resume(device) {
      const connection = connectionOf(device);
      if (connection !== undefined) resume(connection);
    },
    release() {
      for (const connection of held.values()) {
        if (connection.round !== listener) continue;
        connection.round = undefined;
        resume(connection);
        released(connection);
      }
      held.clear();
      done();
    },
  };
}
