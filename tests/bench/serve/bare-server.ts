import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";
import { machineTime } from "../../../cli/machine-time.ts";
import type { DeviceSocket } from "../../../server/connections/device-socket.ts";
import { createSendPump } from "../../../server/connections/send-pump.ts";
import { steadyClock } from "../../../shared/time/steady-clock.ts";
import { answerParent } from "./answers.ts";
import { type BroadcastFigures, broadcastMeter, residentBytes } from "./measuring.ts";

// The baseline: `ws` and the pump, and nothing around them.
const sockets = new Set<WebSocket>();
let onCount: () => void = () => {};
const meter = broadcastMeter();
const pump = createSendPump({
  clock: steadyClock(machineTime),
  defer: (task) => void setImmediate(task),
  patience: 30_000,
  onStalled() {
    throw new Error("a client reads nothing");
  },
});

const calls = {
  /** @returns the port */
  async open(): Promise<number> {
    const server = createServer({ noDelay: true });
    const webSockets = new WebSocketServer({ noServer: true, clientTracking: false, perMessageDeflate: false });
    server.on("upgrade", (request, socket, head) => {
      webSockets.handleUpgrade(request, socket, head, (webSocket) => {
        sockets.add(webSocket);
        webSocket.on("error", ignore);
        webSocket.on("close", () => {
          sockets.delete(webSocket);
          onCount();
        });
        onCount();
      });
    });
    await new Promise<void>((resolve) => server.listen({ host: "127.0.0.1", port: 0, backlog: 4096 }, resolve));
    return (server.address() as AddressInfo).port;
  },
  /** Resolves once so many clients are connected. */
  connected: (count: number) =>
    new Promise<void>((resolve) => {
      onCount = () => {
        if (sockets.size === count) resolve();
      };
      onCount();
    }),
  async broadcast(bytes: number): Promise<void> {
    const frame = new Uint8Array(bytes);
    const targets = [...sockets].map(adapt);
    await meter.begin(() => {
      for (const target of targets) pump.push(target, frame);
    });
  },
  figures: (): BroadcastFigures => meter.end(),
  residentBytes: (): number => residentBytes(),
};

function adapt(webSocket: WebSocket): DeviceSocket {
  return {
    send: (frame, done) => webSocket.send(frame, { binary: true, compress: false }, () => done()),
    get buffered() {
      return webSocket.bufferedAmount;
    },
    ping: () => webSocket.ping(),
    pause: () => webSocket.pause(),
    resume: () => webSocket.resume(),
    get paused() {
      return webSocket.isPaused;
    },
    close: (code, reason) => webSocket.close(code, reason),
    terminate: () => webSocket.terminate(),
  };
}

function ignore(): void {}

export type BareServerCalls = typeof calls;
answerParent(calls);
