import { describe, expect, it } from "vitest";
import type { TransportEnd } from "../../../client/transport/transport.ts";
import { webSocketDial } from "../../../client/transport/websocket.ts";
import { type FakeServerScript, fakeServer, transportOptions } from "./fake-server.ts";

async function dialled(script: FakeServerScript, act: { opened?(): void } = {}) {
  const { origin } = await fakeServer(script);
  const frames: Uint8Array[] = [];
  let heard = 0;
  let opened = false;
  let ends = 0;
  const ended = new Promise<TransportEnd>((resolve) => {
    const transport = webSocketDial(transportOptions(origin))({
      opened() {
        opened = true;
        act.opened?.();
        transport.send(Uint8Array.of(1, 2));
        transport.send(Uint8Array.of(3));
      },
      frame: (bytes) => {
        frames.push(bytes);
        if (bytes[0] === 255) transport.close();
      },
      heard: () => void heard++,
      ended(end) {
        ends++;
        resolve(end);
      },
    });
  });
  const end = await ended;
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(ends).toBe(1);
  return { end, frames, opened, heard };
}

describe("a WebSocket", () => {
  it("speaks this version's subprotocol, carries frames in order both ways, and says goodbye", async () => {
    const received: number[][] = [];
    let code = 0;
    const { frames, heard, end } = await dialled({
      onSocket(socket, request) {
        expect(request.url).toBe("/v1/device");
        expect(request.headers["sec-websocket-protocol"]).toBe("murmuration.2");
        expect(request.headers["sec-websocket-extensions"]).toBeUndefined();
        expect(request.headers["user-agent"]).toBe("test/1");
        socket.on("message", (data: Buffer) => void received.push([...data]));
        socket.on("close", (reason) => {
          code = reason;
        });
        socket.ping();
        socket.send(Uint8Array.of(9));
        socket.send(Uint8Array.of(255));
      },
    });
    expect(frames.map((frame) => [...frame])).toEqual([[9], [255]]);
    expect(frames[0].slice(0, 1).buffer).not.toBe(frames[0].buffer);
    expect(heard).toBe(1);
    expect(received).toEqual([[1, 2], [3]]);
    expect(code).toBe(1000);
    expect(end.error).toBeUndefined();
  });

  it.each<[string, FakeServerScript["onSocket"], string]>([
    ["closes", (socket) => socket.close(1001), "the connection closed (1001)"],
    ["breaks", (socket) => socket.terminate(), "the connection closed (1006)"],
    ["sends text", (socket) => socket.send("hello"), "the coordinator sent text where frames belong"],
    ["sends far too much", (socket) => socket.send(new Uint8Array(17 << 20)), "Max payload size exceeded"],
  ])("that %s ends, and may be tried again", async (_, onSocket, detail) => {
    const { end } = await dialled({ ...(onSocket === undefined ? {} : { onSocket }) });
    expect(end).toEqual({ detail });
  });

  it("to nobody ends too", async () => {
    const { origin, server } = await fakeServer({});
    await new Promise<void>((resolve) => void server.close(() => resolve()));
    const end = await new Promise<TransportEnd>((ended) => {
      webSocketDial(transportOptions(origin))({ opened() {}, frame() {}, heard() {}, ended });
    });
    expect(end).toEqual({ detail: expect.stringContaining("ECONNREFUSED") });
  });
});

describe("an upgrade that is refused", () => {
  const answer = (status: string, body: string, headers = "") => ({
    onUpgrade: (_request: unknown, socket: import("node:stream").Duplex) =>
      void socket.end(`HTTP/1.1 ${status}\r\n${headers}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`),
  });
  const named = (name: string, message: string) =>
    JSON.stringify({ ok: false, code: 4, name, message, hint: "Do that.", docs: `murmur explain ${name}` });

  it.each([
    [
      "426 Upgrade Required",
      "protocol-version",
      "The device speaks version 1, the coordinator 2: the device is older.",
    ],
    ["403 Forbidden", "origin-refused", "Not under this name."],
    ["400 Bad Request", "request-invalid", "No subprotocol."],
  ])("%s with %s is for good, in the coordinator's words", async (status, name, message) => {
    const { end, opened } = await dialled(answer(status, named(name, message)));
    expect(opened).toBe(false);
    expect(end.error).toMatchObject({ name, message, hint: "Do that." });
  });

  it("429 tells when to come back", async () => {
    const { end } = await dialled(
      answer("429 Too Many Requests", named("rate-limited", "Too often."), "Retry-After: 3\r\n"),
    );
    expect(end).toEqual({ detail: "Too often.", retryAfter: 3000 });
  });

  it.each(["502 Bad Gateway", "503 Service Unavailable"])("%s of a proxy may pass", async (status) => {
    const { end } = await dialled(answer(status, "<html>"));
    expect(end).toEqual({ detail: expect.stringContaining(status.slice(0, 3)) });
  });

  it.each(["200 OK", "404 Not Found", "301 Moved"])("%s of something else is not a coordinator", async (status) => {
    const { end } = await dialled(answer(status, "<html>"));
    expect(end.error).toMatchObject({ name: "device-refused" });
  });

  it.each([
    ['{"ok":false,"name":"toString","message":"x"}'],
    ['{"ok":true,"name":"usage","message":"x"}'],
    ["null"],
    ["x".repeat(200_000)],
  ])("a body that names no error is not believed: %#", async (body) => {
    const { end } = await dialled(answer("400 Bad Request", body));
    expect(end.error).toMatchObject({ name: "device-refused" });
  });
});
