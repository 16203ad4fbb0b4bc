import { connect, type Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { type Coordinator, type CoordinatorOptions, eventOf, openCoordinator } from "./coordinator-fixture.ts";
import { upgradeAnswer } from "./raw-requests.ts";

let coordinator: Coordinator;
const sockets: WebSocket[] = [];

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.terminate();
  await coordinator.close();
});

async function start(options: CoordinatorOptions = {}): Promise<string> {
  coordinator = openCoordinator(options);
  return coordinator.listen();
}

/** Appends an event as the coordinator does: recorded, and then told. */
function happen(count = 1, text?: string): void {
  for (let i = 0; i < count; i++) {
    const event = eventOf(coordinator.feed.last + 1, text);
    coordinator.recorded.push(event);
    coordinator.feed.append(event);
  }
}

function numbers(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}

async function until(condition: () => boolean, milliseconds = 10_000): Promise<void> {
  const deadline = performance.now() + milliseconds;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error("it did not come");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

function follow(origin: string, since: number) {
  const socket = new WebSocket(`${origin.replace("http", "ws")}/v1/events/stream?since=${since}`);
  sockets.push(socket);
  const seen: number[] = [];
  const ends: number[] = [];
  socket.on("message", (data, isBinary) => {
    expect(isBinary).toBe(false);
    seen.push(JSON.parse(String(data)).seq);
  });
  socket.on("close", (code) => ends.push(code));
  socket.on("error", () => {});
  return { socket, seen, ends };
}

async function readSse(url: string, events: number, headers: Record<string, string> = {}) {
  const abort = new AbortController();
  const response = await fetch(url, { headers, signal: abort.signal });
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    if (text.split("\ndata: ").length > events) break;
  }
  abort.abort();
  const entries = text.split("\n\n").filter((entry) => entry.startsWith("id: "));
  return { response, text, entries: entries.slice(0, events).map((entry) => entry.split("\n")) };
}

describe("the stream of events over WebSocket", () => {
  it("gives everything in order without a gap, while more happens", async () => {
    const origin = await start({ before: 500, capacity: 16 });
    const early = follow(origin, 0);
    const late = follow(origin, 450);
    for (let i = 0; i < 50; i++) {
      happen(10);
      await new Promise((resolve) => setImmediate(resolve));
    }
    const middle = follow(origin, 123);
    happen(100);
    await until(() => [early, late, middle].every(({ seen }) => seen.at(-1) === 1100));
    expect(early.seen).toEqual(numbers(1, 1100));
    expect(late.seen).toEqual(numbers(451, 1100));
    expect(middle.seen).toEqual(numbers(124, 1100));
  });

  it("is resumed by the number of the last event, after any break", async () => {
    const origin = await start({ before: 40, capacity: 8 });
    const all: number[] = [];
    for (let attempt = 0; attempt < 8; attempt++) {
      const { socket, seen } = follow(origin, all.at(-1) ?? 0);
      happen(7);
      await until(() => seen.length >= 5);
      socket.terminate();
      all.push(...seen);
    }
    expect(all).toEqual(numbers(1, all.length));
  });

  it("begins with the next event for who is ahead of a run that lost its last ones", async () => {
    const { seen } = follow(await start({ before: 3 }), 1000);
    await until(() => sockets[0].readyState === WebSocket.OPEN);
    happen(2);
    await until(() => seen.length === 2);
    expect(seen).toEqual([4, 5]);
  });

  it("is read only", async () => {
    const { socket, ends } = follow(await start(), 0);
    await until(() => socket.readyState === WebSocket.OPEN);
    socket.send("anything");
    await until(() => ends.length > 0);
    expect(ends).toEqual([1008]);
    const large = follow(`http://127.0.0.1:${coordinator.port()}`, 0);
    await until(() => large.socket.readyState === WebSocket.OPEN);
    large.socket.send(new Uint8Array(100_000));
    await until(() => large.ends.length > 0);
    expect(large.ends).toEqual([1009]);
  });

  it("ends when the coordinator does", async () => {
    const { socket, ends } = follow(await start(), 0);
    await until(() => socket.readyState === WebSocket.OPEN);
    await coordinator.app.close();
    await until(() => ends.length > 0);
    expect(ends).toEqual([1001]);
  });
});

describe("server-sent events", () => {
  it("carry number, type and event, and go on from the last one", async () => {
    const origin = await start({ before: 20, capacity: 4 });
    happen(5);
    const { response, entries } = await readSse(`${origin}/v1/events?since=10`, 15);
    expect(response.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(entries.map(([id]) => Number(id.slice(4)))).toEqual(numbers(11, 25));
    expect(entries[0][1]).toBe("event: log");
    expect(JSON.parse(entries[0][2].slice(6))).toEqual(eventOf(11));
    const resumed = await readSse(`${origin}/v1/events?since=3`, 2, { "Last-Event-ID": "23" });
    expect(resumed.entries.map(([id]) => id)).toEqual(["id: 24", "id: 25"]);
  });

  it("show that the connection lives when nothing happens", async () => {
    const origin = await start({ events: { heartbeat: 20 } });
    const abort = new AbortController();
    const response = await fetch(`${origin}/v1/events`, { signal: abort.signal });
    let text = "";
    for await (const chunk of response.body ?? []) {
      text += Buffer.from(chunk).toString();
      if (text.split("\n:\n").length > 2) break;
    }
    abort.abort();
    expect(text).toMatch(/^retry: 2000\n\n(:\n\n)+$/);
  });

  it("end when the coordinator does", async () => {
    const origin = await start();
    const response = await fetch(`${origin}/v1/events`);
    const body = response.text();
    await coordinator.app.close();
    expect(await body).toBe("retry: 2000\n\n");
  });
});

describe("readers of events", () => {
  it("are limited in number, and one who leaves makes room", async () => {
    const origin = await start({ events: { limit: 3 } });
    const readers = [follow(origin, 0), follow(origin, 0)];
    const abort = new AbortController();
    await fetch(`${origin}/v1/events`, { signal: abort.signal });
    await until(() => readers.every(({ socket }) => socket.readyState === WebSocket.OPEN));
    const refused = await fetch(`${origin}/v1/events`);
    expect([refused.status, (await refused.json()).name]).toEqual([503, "coordinator-busy"]);
    const answer = await upgradeAnswer(coordinator.port(), "/v1/events/stream");
    expect(answer).toMatchObject({ status: 503, body: { name: "coordinator-busy" } });
    readers[0].socket.terminate();
    abort.abort();
    const metrics = () =>
      coordinator.app.inject({ url: "/metrics", headers: { host: `127.0.0.1:${coordinator.port()}` } });
    for (let left = 3; left > 1; ) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      left = Number(/^murmuration_event_readers (\d+)$/m.exec((await metrics()).body)?.[1]);
    }
    happen(1);
    expect((await readSse(`${origin}/v1/events`, 1)).entries).toHaveLength(1);
  });

  it.each(["/v1/events", "/v1/events/stream"])(
    "that do not read cost no memory, and are terminated: %s",
    async (path) => {
      await start({ capacity: 16, events: { heartbeat: 300 } });
      const deaf = await stalled(coordinator.port(), path);
      const text = "x".repeat(10_000);
      const before = process.memoryUsage().arrayBuffers + process.memoryUsage().external;
      // One and the same object, so that the events themselves weigh nothing: 40 MB if they were queued.
      for (let i = 0; i < 40; i++) {
        happen(100, text);
        await new Promise((resolve) => setImmediate(resolve));
      }
      const after = process.memoryUsage().arrayBuffers + process.memoryUsage().external;
      expect(after - before).toBeLessThan(16 << 20);
      const metrics = async () =>
        (await coordinator.app.inject({ url: "/metrics", headers: { host: `127.0.0.1:${coordinator.port()}` } })).body;
      for (let i = 0; i < 100 && !(await metrics()).includes("murmuration_slow_readers_total 1"); i++) {
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      expect(await metrics()).toContain("murmuration_slow_readers_total 1");
      expect(await metrics()).toContain("murmuration_event_readers 0");
      deaf.destroy();
    },
  );

  it("that are slow get everything all the same", async () => {
    const origin = await start({ capacity: 16 });
    const { socket, seen } = follow(origin, 0);
    await until(() => socket.readyState === WebSocket.OPEN);
    socket.pause();
    happen(2000, "x".repeat(10_000));
    await new Promise((resolve) => setTimeout(resolve, 50));
    socket.resume();
    await until(() => seen.length === 2000);
    expect(seen).toEqual(numbers(1, 2000));
  });
});

/** A client that asks, and never reads. */
function stalled(port: number, path: string): Promise<Socket> {
  const upgrade = path.endsWith("stream")
    ? "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    : "";
  return new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1" }, () => {
      socket.pause();
      socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n${upgrade}\r\n`, () => resolve(socket));
    });
    socket.on("error", () => {});
  });
}
