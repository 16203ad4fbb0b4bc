import type { Duplex } from "node:stream";
import { type ServerOptions, type WebSocket, WebSocketServer } from "ws";
import { DEVICE_PATH, subprotocol } from "../../shared/protocol/connection-messages.ts";
import { MurmurError } from "../../shared/protocol/errors.ts";
import { FRAME_VERSION } from "../../shared/protocol/frame.ts";
import type { Connection } from "../connections/connection.ts";
import type { DeviceHub } from "../connections/device-hub.ts";
import type { DeviceSocket } from "../connections/device-socket.ts";
import { refuseUpgrade, type UpgradeHandler } from "./upgrades.ts";

export interface DeviceEndpointOptions {
  readonly hub: DeviceHub;
  /** Bytes of the longest frame that a device may send. */
  readonly largestFrame: number;
  /** Devices connected at once, at most. */
  readonly mostConnections: number;
}

/**
 * The devices' WebSocket: binary frames, not compressed (masked vectors do not compress), none longer than the task
 * needs. What the frames say is the hub's business.
 */
export function deviceEndpoint({ hub, largestFrame, mostConnections }: DeviceEndpointOptions): UpgradeHandler {
  // The types do not know of the time that a peer has to close its side.
  const options: ServerOptions & { readonly closeTimeout: number } = {
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: largestFrame,
    closeTimeout: GOODBYE_MS,
    handleProtocols: () => subprotocol(),
  };
  const server = new WebSocketServer(options);
  server.on("wsClientError", (error, socket) => {
    refuseUpgrade(
      socket,
      new MurmurError("request-invalid", `This is not the opening of a WebSocket: ${error.message}.`),
    );
  });
  return {
    path: DEVICE_PATH,
    accept({ request, socket, head, address }) {
      requireSameVersion(request.headers["sec-websocket-protocol"]);
      if (hub.sockets >= mostConnections) {
        throw new MurmurError(
          "coordinator-busy",
          `The coordinator serves ${mostConnections} connections, and all are in use.`,
        );
      }
      server.handleUpgrade(request, socket, head, (webSocket) => {
        const connection = attach(hub, webSocket, address);
        boundStranger(hub, connection, socket);
      });
    },
  };
}

/** Milliseconds that a peer has to close its side. */
const GOODBYE_MS = 2_000;

/** @throws {MurmurError} which says which side is older. */
export function requireSameVersion(offered: string | undefined): void {
  const versions = (offered ?? "")
    .split(",")
    .map((name) => /^murmuration\.(\d{1,6})$/.exec(name.trim())?.[1])
    .filter((version) => version !== undefined)
    .map(Number);
  if (versions.includes(FRAME_VERSION)) return;
  if (versions.length === 0) {
    throw new MurmurError("request-invalid", `A device connects with the WebSocket protocol ${subprotocol()}.`);
  }
  const newest = Math.max(...versions);
  const older = newest < FRAME_VERSION ? "the device" : "the coordinator";
  throw new MurmurError(
    "protocol-version",
    `The device speaks version ${newest} of the protocol and the coordinator version ${FRAME_VERSION}: ${older} is older.`,
  );
}

/** What `ws` closes with when a message is longer than it may be. */
const TOO_LONG = "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH";

/** Bytes in which a device can prove who it is, many times over. */
const STRANGER_BYTES = 8_192;

/** Until it is let in, a peer may send a few thousand bytes, however they are framed: frames are kept until whole. */
function boundStranger(hub: DeviceHub, connection: Connection, socket: Duplex): void {
  let left = STRANGER_BYTES;
  function count(chunk: Buffer): void {
    left -= chunk.length;
    if (connection.phase === "challenged" && left >= 0) return;
    socket.off("data", count);
    if (connection.phase === "challenged") hub.cutOff(connection, "oversize");
  }
  socket.on("data", count);
}

function attach(hub: DeviceHub, webSocket: WebSocket, address: string): Connection {
  const connection: Connection = hub.open(deviceSocket(webSocket), address);
  webSocket.on("message", (data: Buffer, isBinary: boolean) => {
    if (!isBinary) return hub.refuse(connection, "malformed", "Devices speak in binary frames.");
    // A plain array over the same memory: a Buffer's `slice` shares memory where a Uint8Array's copies.
    hub.received(connection, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  });
  webSocket.on("pong", () => hub.heard(connection));
  webSocket.on("close", () => hub.closed(connection));
  webSocket.on("error", (error: NodeJS.ErrnoException) => {
    // A message that breaks RFC 6455 or the size limit, on which `ws` closes; a reset connection is simply closed.
    if (error.code === TOO_LONG) hub.cutOff(connection, "oversize");
    else if (error.code?.startsWith("WS_ERR_") === true) hub.cutOff(connection, "malformed");
  });
  return connection;
}

function deviceSocket(webSocket: WebSocket): DeviceSocket {
  return {
    send: (frame, done) => webSocket.send(frame, { binary: true, compress: false }, () => done()),
    get buffered() {
      return webSocket.bufferedAmount;
    },
    ping() {
      // One that is closing cannot be pinged, and need not be.
      if (webSocket.readyState === webSocket.OPEN) webSocket.ping();
    },
    pause: () => webSocket.pause(),
    resume: () => webSocket.resume(),
    get paused() {
      return webSocket.isPaused;
    },
    close: (code, reason) => webSocket.close(code, reason),
    terminate: () => webSocket.terminate(),
  };
}
