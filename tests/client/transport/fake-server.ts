import { createServer, type IncomingMessage, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { onTestFinished } from "vitest";
import { type WebSocket, WebSocketServer } from "ws";
import type { HttpOptions } from "../../../client/transport/http.ts";
import type { WebSocketOptions } from "../../../client/transport/websocket.ts";
import { cryptoProvider } from "../../../shared/crypto/node-provider.ts";
import { steadyClock, type TimeSources } from "../../../shared/time/steady-clock.ts";

export interface FakeServerScript {
  readonly http?: RequestListener;
  /** A device's socket, upgraded. */
  onSocket?(socket: WebSocket, request: IncomingMessage): void;
  /** Answers an upgrade by hand instead. */
  onUpgrade?(request: IncomingMessage, socket: Duplex): void;
}

/** A server on loopback that does what a test says, until the test is over. */
export async function fakeServer(script: FakeServerScript): Promise<{ readonly origin: URL; readonly server: Server }> {
  const server = createServer(script.http);
  const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false });
  server.on("upgrade", (request, socket, head) => {
    socket.on("error", () => undefined);
    if (script.onUpgrade !== undefined) return script.onUpgrade(request, socket);
    sockets.handleUpgrade(request, socket, head, (upgraded) => script.onSocket?.(upgraded, request));
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    for (const client of sockets.clients) client.terminate();
    server.closeAllConnections();
    return new Promise<void>((resolve) => void server.close(() => resolve()));
  });
  return { origin: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`), server };
}

export const realTime: TimeSources = {
  wall: () => Date.now(),
  monotonic: () => performance.now(),
  after(milliseconds, callback) {
    const timer = setTimeout(callback, milliseconds);
    return () => clearTimeout(timer);
  },
};

/** The real clock, for transports over real sockets. */
export const realClock = steadyClock(realTime);

export function transportOptions(origin: URL): HttpOptions & WebSocketOptions {
  return { origin, software: "test/1", clock: realClock, provider: cryptoProvider };
}
