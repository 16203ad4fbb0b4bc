import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { toHex } from "../../../shared/crypto/bytes.ts";
import { AUDIENCE, newKeys, POPULATION, requestOf } from "../enrolment/enrolment-fixtures.ts";
import { bearer, type Coordinator, inject, openCoordinator } from "./coordinator-fixture.ts";

let coordinator: Coordinator;

beforeEach(() => {
  coordinator = openCoordinator();
});

afterEach(() => coordinator.close());

function enrolBody(token: string, audience = AUDIENCE, signedFor = audience) {
  const devices = newKeys(2).map((key) => {
    const { idPk, signature } = requestOf(key, token, { audience: signedFor });
    return { publicKey: toHex(idPk), signature: toHex(signature) };
  });
  return { token, audience, devices };
}

function expectError(response: { statusCode: number; json(): unknown }, status: number, name: string): void {
  expect(response.json()).toMatchObject({ ok: false, name, docs: `murmur explain ${name}` });
  expect(response.json()).toEqual({
    ok: false,
    code: expect.any(Number),
    name,
    message: expect.stringMatching(/\.$/),
    hint: expect.any(String),
    docs: expect.any(String),
  });
  expect(response.statusCode).toBe(status);
}

describe("health, readiness and status", () => {
  it("are told to anyone", async () => {
    expect((await inject(coordinator, "GET", "/healthz")).json()).toEqual({ ok: true });
    expect((await inject(coordinator, "GET", "/readyz")).json()).toEqual({ ready: true, reasons: [] });
    coordinator.reasons.push("the store is full");
    const unready = await inject(coordinator, "GET", "/readyz");
    expect([unready.statusCode, unready.json()]).toEqual([503, { ready: false, reasons: ["the store is full"] }]);
    const status = await inject(coordinator, "GET", "/v1/status");
    expect(status.json()).toEqual(coordinator.services.status());
    expect(status.headers).toMatchObject({ "cache-control": "no-store", "x-content-type-options": "nosniff" });
  });
});

describe("enrolment", () => {
  it("answers with the population, and the same again for devices that are there", async () => {
    const body = enrolBody(coordinator.joinToken);
    const first = await inject(coordinator, "POST", "/v1/enrol", { body });
    expect(first.statusCode).toBe(201);
    expect(first.json()).toEqual({ population: POPULATION, level: "curious-server", enrolled: 2, already: 0 });
    expect((await inject(coordinator, "POST", "/v1/enrol", { body })).json()).toMatchObject({
      enrolled: 0,
      already: 2,
    });
  });

  it("refuses each kind of token that it should with its own error", async () => {
    const { registry, clock } = coordinator.enrolment;
    const post = (token: string) => inject(coordinator, "POST", "/v1/enrol", { body: enrolBody(token) });
    const { token: _, ...without } = enrolBody("x");
    expectError(await inject(coordinator, "POST", "/v1/enrol", { body: without }), 401, "token-missing");
    expectError(await post(`murmur_e_00000000_${"A".repeat(43)}`), 401, "token-invalid");
    expectError(await post(coordinator.operatorToken), 401, "token-invalid");
    const single = registry.createToken({ scope: "enrol", count: 1, expiresAt: clock.now() + 1000 }).token;
    expectError(await post(single), 403, "token-used-up");
    clock.time += 1000;
    expectError(await post(single), 403, "token-expired");
  });

  it("refuses what was signed for another coordinator, under its name and under this one's", async () => {
    const token = coordinator.joinToken;
    const replayed = enrolBody(token, "evil.example:443");
    expectError(await inject(coordinator, "POST", "/v1/enrol", { body: replayed }), 403, "origin-refused");
    const renamed = enrolBody(token, AUDIENCE, "evil.example:443");
    expectError(await inject(coordinator, "POST", "/v1/enrol", { body: renamed }), 400, "request-invalid");
    const otherPort = enrolBody(token, "127.0.0.1:9090");
    expectError(await inject(coordinator, "POST", "/v1/enrol", { body: otherPort }), 403, "origin-refused");
    expect(coordinator.enrolment.registry.enrolled()).toBe(0);
  });

  it("says where a request is wrong, and repeats none of it", async () => {
    const body = enrolBody(coordinator.joinToken);
    const broken = { ...body, devices: [body.devices[0], { ...body.devices[1], signature: "deadbeef" }] };
    const response = await inject(coordinator, "POST", "/v1/enrol", { body: broken });
    expectError(response, 400, "request-invalid");
    expect(response.json().message).toBe("devices/1/signature: is not 64 bytes in hexadecimal.");
    expect(response.body).not.toContain("deadbeef");
    for (const wrong of [
      { ...body, devices: [] },
      { ...body, more: 1 },
      { ...body, audience: 7 },
      [],
      null,
      "x",
      { ...body, devices: Array(1001).fill(body.devices[0]) },
    ]) {
      const payload = JSON.stringify(wrong);
      const headers = { "content-type": "application/json" };
      expectError(await inject(coordinator, "POST", "/v1/enrol", { headers, body: payload }), 400, "request-invalid");
    }
  });

  it("refuses bodies that are no JSON, declared as something else, or too large", async () => {
    const post = (body: string, type = "application/json") =>
      inject(coordinator, "POST", "/v1/enrol", { headers: { "content-type": type }, body });
    for (const body of ['{"token": ', "", '{"__proto__": {"token": "x"}}']) {
      expectError(await post(body), 400, "request-invalid");
    }
    expectError(await post("{}", "text/html"), 400, "request-invalid");
    expectError(await post("{}", "text/plain"), 400, "request-invalid");
    const large = JSON.stringify({ token: "x".repeat(1 << 20) });
    expectError(await post(large), 413, "request-too-large");
  });
});

describe("the operator", () => {
  it("alone makes tokens, sees devices, revokes and stops", async () => {
    const requests = [
      ["POST", "/v1/tokens"],
      ["GET", "/v1/tokens"],
      ["DELETE", "/v1/tokens/00000000"],
      ["GET", "/v1/devices"],
      ["DELETE", `/v1/devices/${"00".repeat(32)}`],
      ["POST", "/v1/stop"],
    ] as const;
    for (const [method, url] of requests) {
      for (const headers of [{}, bearer(coordinator.joinToken), bearer("x"), { authorization: "Basic eDp4" }]) {
        const response = await inject(coordinator, method, url, { headers });
        expectError(response, 401, "operator-only");
        expect(response.headers["www-authenticate"]).toBe("Bearer");
      }
    }
    expect(coordinator.calls).toEqual([]);
  });

  it("makes a token that enrols, and revokes it", async () => {
    const headers = bearer(coordinator.operatorToken);
    const made = await inject(coordinator, "POST", "/v1/tokens", {
      headers,
      body: { scope: "enrol", count: 2, expires: 60 },
    });
    expect(made.statusCode).toBe(201);
    const { id, token, expiresAt } = made.json();
    expect(Date.parse(expiresAt)).toBe(coordinator.enrolment.clock.now() + 60_000);
    expect((await inject(coordinator, "POST", "/v1/enrol", { body: enrolBody(token) })).statusCode).toBe(201);
    const list = await inject(coordinator, "GET", "/v1/tokens", { headers });
    expect(list.json().tokens.find((entry: { id: string }) => entry.id === id)).toMatchObject({ uses: 2, usesLeft: 0 });
    expect(list.body).not.toContain(token.split("_").slice(3).join("_"));
    expect((await inject(coordinator, "DELETE", `/v1/tokens/${id}`, { headers })).json()).toEqual({ id });
    expectError(await inject(coordinator, "POST", "/v1/enrol", { body: enrolBody(token) }), 401, "token-invalid");
    expectError(await inject(coordinator, "DELETE", "/v1/tokens/00000000", { headers }), 404, "no-such-thing");
  });

  it("revokes a device, whose connection ends", async () => {
    const headers = bearer(coordinator.operatorToken);
    const body = enrolBody(coordinator.joinToken);
    await inject(coordinator, "POST", "/v1/enrol", { body });
    const { publicKey } = body.devices[0];
    const revoked = await inject(coordinator, "DELETE", `/v1/devices/${publicKey.toUpperCase()}`, { headers });
    expect(revoked.json()).toEqual({ publicKey, disconnected: true });
    expect(coordinator.calls).toEqual([["disconnect", publicKey, "revoked", expect.any(String)]]);
    const { devices, next } = (await inject(coordinator, "GET", "/v1/devices", { headers })).json();
    expect(next).toBeNull();
    expect(devices.map((device: { revokedAt: string | null }) => device.revokedAt === null).sort()).toEqual([
      false,
      true,
    ]);
    expectError(await inject(coordinator, "POST", "/v1/enrol", { body }), 403, "device-revoked");
    expectError(
      await inject(coordinator, "DELETE", `/v1/devices/${"00".repeat(32)}`, { headers }),
      404,
      "no-such-thing",
    );
    expectError(await inject(coordinator, "DELETE", "/v1/devices/0000", { headers }), 400, "request-invalid");
  });

  it("stops the run after the round, or now", async () => {
    const headers = bearer(coordinator.operatorToken);
    expect((await inject(coordinator, "POST", "/v1/stop", { headers })).json()).toEqual({ stopping: "after-round" });
    await inject(coordinator, "POST", "/v1/stop", { headers, body: { now: false } });
    expect((await inject(coordinator, "POST", "/v1/stop", { headers, body: { now: true } })).statusCode).toBe(202);
    expect(coordinator.calls).toEqual([
      ["stop", "after-round"],
      ["stop", "after-round"],
      ["stop", "now"],
    ]);
    expectError(
      await inject(coordinator, "POST", "/v1/stop", { headers, body: { now: "yes" } }),
      400,
      "request-invalid",
    );
  });
});

describe("errors", () => {
  it("have one shape, also where there is nothing", async () => {
    expectError(await inject(coordinator, "GET", "/v1/nothing"), 404, "no-such-thing");
    expectError(await inject(coordinator, "POST", "/v1/status"), 404, "no-such-thing");
    expectError(await inject(coordinator, "GET", "/v1/models/%zz"), 400, "request-invalid");
    expectError(await inject(coordinator, "GET", `/v1/models/${"a".repeat(500)}`), 400, "request-invalid");
    expectError(await inject(coordinator, "GET", "/v1/events?since=-1"), 400, "request-invalid");
  });

  it("that are bugs, or the store's, tell the log more than the network", async () => {
    const broken = openCoordinator();
    try {
      Object.assign(broken.services.devices, {
        disconnect() {
          throw new Error("the inner workings");
        },
      });
      const headers = bearer(broken.operatorToken);
      const body = enrolBody(broken.joinToken);
      await inject(broken, "POST", "/v1/enrol", { body });
      const url = `/v1/devices/${body.devices[0].publicKey}`;
      const response = await inject(broken, "DELETE", url, { headers });
      expectError(response, 500, "internal");
      expect(response.body).not.toContain("inner workings");
      expect(broken.log()).toContain("inner workings");
    } finally {
      await broken.close();
    }
  });
});

describe("the description", () => {
  it("lists every route with its errors, and what needs the operator", async () => {
    const routes: string[] = [];
    const described = openCoordinator();
    try {
      described.app.addHook("onRoute", ({ method, url }) => {
        for (const name of [method].flat()) routes.push(`${name.toLowerCase()} ${url.replace(/:(\w+)/g, "{$1}")}`);
      });
      const document = (await inject(described, "GET", "/v1/openapi.json")).json();
      expect(document.openapi).toBe("3.1.0");
      const listed = Object.entries<object>(document.paths).flatMap(([path, operations]) =>
        Object.keys(operations).map((method) => `${method} ${path}`),
      );
      const own = routes.filter((route) => !route.startsWith("head ") || route.includes("/v1/models"));
      expect(own.length).toBeGreaterThan(12);
      expect([...listed].sort()).toEqual([...own].sort());
      for (const [path, operations] of Object.entries<Record<string, { responses: object; security?: object }>>(
        document.paths,
      )) {
        for (const operation of Object.values(operations)) {
          expect(JSON.stringify(operation.responses)).toContain("#/components/schemas/Error");
          expect(operation.security !== undefined).toBe(/tokens|devices|stop/.test(path));
        }
      }
      expect(document.components.schemas.Error.required).toContain("hint");
    } finally {
      await described.close();
    }
  });
});

describe("metrics", () => {
  it("have every reason from the start, and the counts of now", async () => {
    const { metrics } = coordinator.services;
    metrics.connectionOpened();
    metrics.connectionOpened();
    metrics.connectionEnded("malformed");
    metrics.refused("malformed");
    metrics.frame("in", 1000);
    metrics.deviceLost("deadline");
    metrics.stageDone("mask", 0.2);
    metrics.roundEnded("committed");
    metrics.roundEnded("abandoned", "below-quorum");
    metrics.slowReader();
    await inject(coordinator, "POST", "/v1/enrol", { body: enrolBody(coordinator.joinToken) });
    const response = await inject(coordinator, "GET", "/metrics");
    expect(response.headers["content-type"]).toMatch(/^text\/plain; version=0.0.4/);
    for (const line of [
      "murmuration_connections_open 1",
      "murmuration_connections_total 2",
      'murmuration_connections_ended_total{reason="malformed"} 1',
      'murmuration_connections_ended_total{reason="paced"} 0',
      'murmuration_refusals_total{reason="malformed"} 1',
      'murmuration_frame_bytes_total{direction="in"} 1000',
      'murmuration_frames_total{direction="out"} 0',
      "murmuration_devices_enrolled 2",
      "murmuration_devices_waiting 4",
      'murmuration_devices_lost_total{reason="deadline"} 1',
      'murmuration_rounds_total{outcome="committed",reason=""} 1',
      'murmuration_rounds_total{outcome="abandoned",reason="below-quorum"} 1',
      'murmuration_stage_seconds_count{stage="mask"} 1',
      "murmuration_slow_readers_total 1",
      "# TYPE process_cpu_seconds_total counter",
      "# TYPE nodejs_gc_duration_seconds histogram",
    ]) {
      expect(response.body.split("\n")).toContain(line);
    }
  });
});
