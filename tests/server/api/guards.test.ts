import { afterEach, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import type { UpgradeHandler } from "../../../server/api/upgrades.ts";
import { MurmurError } from "../../../shared/protocol/errors.ts";
import { type Coordinator, inject, openCoordinator } from "./coordinator-fixture.ts";
import { rawRequest, upgradeAnswer } from "./raw-requests.ts";

let coordinator: Coordinator | undefined;

afterEach(async () => {
  await coordinator?.close();
  coordinator = undefined;
});

function open(...args: Parameters<typeof openCoordinator>): Coordinator {
  coordinator = openCoordinator(...args);
  return coordinator;
}

describe("a request under a name, or from a page, that is not the coordinator's", () => {
  const foreign: Record<string, string>[] = [
    { host: "evil.example:8080" },
    { host: "127.0.0.1:8081" },
    { origin: "http://evil.example" },
    { origin: "http://127.0.0.1:3000" },
    { origin: "null" },
    { origin: "file://" },
    { origin: "http://127.0.0.1:8080.evil.example" },
    { "sec-fetch-site": "cross-site" },
  ];

  it("is refused, whatever it asks for", async () => {
    const { app } = open();
    for (const headers of foreign) {
      for (const [method, url] of [
        ["GET", "/v1/status"],
        ["GET", "/healthz"],
        ["POST", "/v1/enrol"],
        ["GET", "/nothing"],
      ] as const) {
        const response = await app.inject({ method, url, headers: { host: "127.0.0.1:8080", ...headers } });
        expect([response.statusCode, response.json().name]).toEqual([403, "origin-refused"]);
      }
    }
    const own = { host: "localhost:8080", origin: "http://localhost:8080", "sec-fetch-site": "same-origin" };
    expect((await app.inject({ method: "GET", url: "/v1/status", headers: own })).statusCode).toBe(200);
  });

  it("is refused as a WebSocket, too", async () => {
    const { listen, port } = open();
    await listen();
    for (const headers of [
      { Host: "evil.example" },
      { Origin: "http://evil.example" },
      { Origin: "null" },
      { "Sec-Fetch-Site": "cross-site" },
    ]) {
      const answer = await upgradeAnswer(port(), "/v1/events/stream", headers);
      expect(answer).toMatchObject({ status: 403, closed: true, body: { ok: false, name: "origin-refused" } });
    }
  });

  it("is let through under a name that is configured", async () => {
    const { app } = open({ names: ["coordinator.example"] });
    const headers = { host: "coordinator.example", origin: "https://coordinator.example" };
    expect((await app.inject({ method: "GET", url: "/v1/status", headers })).statusCode).toBe(200);
  });
});

describe("rate limits", () => {
  const rateLimits = { requestsPerMinute: 3, connectionsPerMinute: 2 };

  it("slow one address down, and no other", async () => {
    const limited = open({ rateLimits });
    const ask = (address: string, url = "/v1/status") => inject(limited, "GET", url, { address });
    for (let i = 0; i < 3; i++) expect((await ask("10.0.0.1")).statusCode).toBe(200);
    const refused = await ask("10.0.0.1");
    expect([refused.statusCode, refused.json().name]).toEqual([429, "rate-limited"]);
    expect(Number(refused.headers["retry-after"])).toBeGreaterThan(0);
    expect(Number(refused.headers["retry-after"])).toBeLessThanOrEqual(60);
    expect((await ask("10.0.0.2")).statusCode).toBe(200);
  });

  it("hold for guesses of the operator's token, and for addresses where nothing is", async () => {
    const limited = open({ rateLimits });
    const guess = () =>
      inject(limited, "GET", "/v1/tokens", { address: "10.0.0.1", headers: { authorization: "Bearer guess" } });
    const statuses: number[] = [];
    for (let i = 0; i < 4; i++) statuses.push((await guess()).statusCode);
    expect(statuses).toEqual([401, 401, 401, 429]);
    for (let i = 0; i < 4; i++)
      statuses.push((await inject(limited, "GET", `/${i}`, { address: "10.0.0.9" })).statusCode);
    expect(statuses.slice(4)).toEqual([404, 404, 404, 429]);
  });

  it("count what a proxy forwards for each of its clients, if the proxy is trusted", async () => {
    const ask = (target: Coordinator, address: string, client: string) =>
      inject(target, "GET", "/v1/status", { address, headers: { "x-forwarded-for": client } });
    const limited = open({ rateLimits, proxies: ["10.9.0.0/16"] });
    for (let i = 0; i < 4; i++) await ask(limited, "10.9.0.1", "192.0.2.1");
    expect((await ask(limited, "10.9.0.1", "192.0.2.1")).statusCode).toBe(429);
    expect((await ask(limited, "10.9.0.1", "192.0.2.2")).statusCode).toBe(200);
    // The client's own claims stand before what the proxy adds, and are not believed.
    expect((await ask(limited, "10.9.0.1", "192.0.2.77, 192.0.2.1")).statusCode).toBe(429);
    // Whoever is no trusted proxy speaks for itself only.
    const statuses: number[] = [];
    for (let i = 0; i < 4; i++) statuses.push((await ask(limited, "203.0.113.5", `192.0.2.${100 + i}`)).statusCode);
    expect(statuses).toEqual([200, 200, 200, 429]);
  });

  it("hold for connections, with the time to wait", async () => {
    const limited = open({ rateLimits: { requestsPerMinute: 100, connectionsPerMinute: 2 }, proxies: ["127.0.0.1"] });
    await limited.listen();
    const connect = (client: string) =>
      upgradeAnswer(limited.port(), "/v1/events/stream", { "X-Forwarded-For": client });
    expect([(await connect("192.0.2.1")).status, (await connect("192.0.2.1")).status]).toEqual([101, 101]);
    const refused = await connect("192.0.2.1");
    expect(refused).toMatchObject({ status: 429, closed: true, body: { name: "rate-limited" } });
    expect(Number(refused.headers["retry-after"])).toBeGreaterThan(0);
    expect((await connect("192.0.2.2")).status).toBe(101);
  });
});

describe("upgrades", () => {
  it("to paths that nobody handles, or to anything but WebSocket, are refused in words", async () => {
    const { listen, port } = open();
    await listen();
    expect(await upgradeAnswer(port(), "/v1/nothing")).toMatchObject({ status: 404, body: { name: "no-such-thing" } });
    expect(await upgradeAnswer(port(), "//evil.example/")).toMatchObject({ status: 400 });
    expect(await upgradeAnswer(port(), "/v1/events/stream?since=x")).toMatchObject({ status: 400 });
    expect(await upgradeAnswer(port(), "/v1/events/stream", { Upgrade: "h2c" })).toMatchObject({ status: 400 });
    const keyless = await upgradeAnswer(port(), "/v1/events/stream", { "Sec-WebSocket-Key": "x" });
    expect(keyless).toMatchObject({ status: 400, body: { name: "request-invalid" } });
  });

  it("reach their handler with the client's address, and an error of the handler is an answer", async () => {
    const seen: string[] = [];
    const handler: UpgradeHandler = {
      path: "/v1/device",
      accept({ address, url }) {
        seen.push(`${address} ${url.search}`);
        throw new TypeError("the inner workings");
      },
    };
    const opened = open({ upgrades: [handler], proxies: ["127.0.0.1"] });
    await opened.listen();
    const answer = await upgradeAnswer(opened.port(), "/v1/device?a=b", { "X-Forwarded-For": "192.0.2.7" });
    expect(answer).toMatchObject({ status: 500, body: { name: "internal" } });
    expect(JSON.stringify(answer)).not.toContain("inner workings");
    expect(seen).toEqual(["192.0.2.7 ?a=b"]);
    expect(opened.log()).toContain("inner workings");
  });

  it("that are torn down before they are accepted leave the coordinator standing", async () => {
    let release: () => void = () => {};
    const waiting = new Promise<void>((resolve) => {
      release = resolve;
    });
    const handler: UpgradeHandler = {
      path: "/v1/device",
      async accept() {
        await waiting;
        throw new MurmurError("coordinator-busy", "There is no place.");
      },
    };
    const opened = open({ upgrades: [handler] });
    const origin = await opened.listen();
    for (let i = 0; i < 10; i++) {
      const socket = new WebSocket(`${origin.replace("http", "ws")}/v1/device`);
      socket.on("error", () => {});
      setTimeout(() => socket.terminate(), 20);
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
    release();
    expect((await fetch(`${origin}/healthz`)).status).toBe(200);
  });
});

describe("slow and senseless senders", () => {
  it("are answered and cut off", async () => {
    const opened = open({ patience: { head: 200, request: 400, idle: 5000 } });
    await opened.listen();
    const host = `Host: 127.0.0.1:${opened.port()}\r\n`;
    const [garbage, slowHead, slowBody, longHead] = await Promise.all([
      rawRequest(opened.port(), "certainly not HTTP\r\n\r\n"),
      rawRequest(opened.port(), `GET /healthz HTTP/1.1\r\n${host}`),
      rawRequest(
        opened.port(),
        `POST /v1/enrol HTTP/1.1\r\n${host}Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{`,
      ),
      rawRequest(opened.port(), `GET /healthz HTTP/1.1\r\n${host}X-Long: ${"x".repeat(20_000)}\r\n\r\n`),
    ]);
    expect(garbage).toMatchObject({ status: 400, closed: true, body: { ok: false, name: "request-invalid" } });
    expect(slowHead).toMatchObject({ status: 408, closed: true, body: { ok: false } });
    expect(slowBody).toMatchObject({ status: 408, closed: true });
    expect(longHead).toMatchObject({ status: 431, closed: true });
    const large = await rawRequest(
      opened.port(),
      `POST /v1/enrol HTTP/1.1\r\n${host}Content-Type: application/json\r\nContent-Length: 9999999\r\n\r\n{"token": "`,
    );
    expect(large).toMatchObject({ status: 413, closed: true, body: { name: "request-too-large" } });
    const chunked = await rawRequest(
      opened.port(),
      `POST /v1/stop HTTP/1.1\r\n${host}Content-Type: application/json\r\nAuthorization: Bearer ${opened.operatorToken}\r\n` +
        `Transfer-Encoding: chunked\r\n\r\n5000\r\n${" ".repeat(0x5000)}\r\n`,
    );
    expect(chunked).toMatchObject({ status: 413, closed: true, body: { name: "request-too-large" } });
    const nameless = await rawRequest(opened.port(), "GET /healthz HTTP/1.0\r\n\r\n");
    expect(nameless).toMatchObject({ status: 403, body: { name: "origin-refused" } });
  });
});
