import { Writable } from "node:stream";
import { pino } from "pino";
import { describe, expect, it } from "vitest";
import { discreetLogger, logPath } from "../../../server/api/logging.ts";
import { toHex } from "../../../shared/crypto/bytes.ts";
import { AUDIENCE, newKeys, requestOf } from "../enrolment/enrolment-fixtures.ts";
import { bearer, inject, openCoordinator } from "./coordinator-fixture.ts";
import { upgradeAnswer } from "./raw-requests.ts";

describe("the log", () => {
  it("has a line for each request, and no secret in any", async () => {
    const coordinator = openCoordinator();
    const secrets: string[] = [coordinator.joinToken, coordinator.operatorToken];
    try {
      await coordinator.listen();
      const [key] = newKeys(1);
      const audience = `127.0.0.1:${coordinator.port()}`;
      const { idPk, signature } = requestOf(key, coordinator.joinToken, { audience });
      const device = { publicKey: toHex(idPk), signature: toHex(signature) };
      secrets.push(
        device.publicKey,
        device.signature,
        Buffer.from(signature).toString("base64"),
        toHex(key.exportSeed()),
      );
      const body = { token: coordinator.joinToken, audience, devices: [device] };
      await inject(coordinator, "POST", "/v1/enrol", { body });
      await inject(coordinator, "POST", "/v1/enrol", { body: { ...body, audience: AUDIENCE } });
      await inject(coordinator, "POST", "/v1/enrol", { body: { ...body, devices: [device, device] } });
      await inject(coordinator, "POST", "/v1/enrol", { body: JSON.stringify(body).slice(0, -5) });
      await inject(coordinator, "POST", "/v1/enrol", {
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body).slice(0, -5),
      });
      const headers = bearer(coordinator.operatorToken);
      const made = await inject(coordinator, "POST", "/v1/tokens", { headers, body: { scope: "enrol", expires: 60 } });
      secrets.push(made.json().token);
      await inject(coordinator, "GET", `/v1/status?token=${coordinator.joinToken}`, { headers });
      await inject(coordinator, "GET", `/${coordinator.joinToken}`);
      await inject(coordinator, "DELETE", `/v1/devices/${device.publicKey}`, { headers });
      Object.assign(coordinator.services.devices, {
        disconnect() {
          throw Object.assign(new Error("broken"), { token: coordinator.operatorToken, body });
        },
      });
      await inject(coordinator, "DELETE", `/v1/devices/${device.publicKey}`, { headers });
      await upgradeAnswer(coordinator.port(), `/v1/nothing?token=${coordinator.joinToken}`, {
        Authorization: `Bearer ${coordinator.operatorToken}`,
      });
      await upgradeAnswer(coordinator.port(), `/v1/events/stream/${coordinator.joinToken}`);
      const log = coordinator.log();
      const lines = log
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line));
      const requests = lines.filter(({ msg }) => msg === "request");
      expect(requests).toHaveLength(10);
      expect(requests[0]).toMatchObject({ method: "POST", path: "/v1/enrol", status: 201, address: "127.0.0.1" });
      expect(lines.some(({ err }) => err?.message === "broken")).toBe(true);
      expect(lines.filter(({ msg }) => msg === "connection refused")).toHaveLength(2);
      for (const secret of secrets) {
        expect(log).not.toContain(secret);
        expect(log).not.toContain(secret.slice(-24));
      }
      expect(log).not.toMatch(/authorization|bearer/i);
    } finally {
      await coordinator.close();
    }
  });

  it("leaves out what is called like a secret, whoever logs it", () => {
    let text = "";
    const sink = new Writable({
      write(chunk, _encoding, done) {
        text += chunk;
        done();
      },
    });
    const log = discreetLogger(pino(sink));
    log.info({ token: "s3cret", nested: { signature: "s3cret" }, headers: { authorization: "s3cret" } }, "careless");
    log.info({ req: { method: "GET", url: "/?s3cret", headers: { authorization: "s3cret" } } }, "careless");
    log.error({ err: Object.assign(new Error("broken"), { config: { key: "s3cret" } }) }, "careless");
    expect(text.trim().split("\n")).toHaveLength(3);
    expect(text).not.toContain("s3cret");
  });

  it("tells of an address only what it may", () => {
    expect(logPath("/v1/models/0123?since=1#x")).toBe("/v1/models/0123");
    expect(logPath(`/v1/devices/${"ab".repeat(32)}`)).toBe("/v1/devices/abababab…");
    expect(logPath("/x/murmur_e_00000000_abc/y")).toBe("/x/murmur_…/y");
    expect(logPath("/a".repeat(1000)).length).toBeLessThanOrEqual(200);
  });
});
