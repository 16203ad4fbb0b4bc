import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import type { TlsFiles } from "../../../server/api/http-server.ts";
import { MurmurError } from "../../../shared/protocol/errors.ts";
import { eventOf, openCoordinator } from "./coordinator-fixture.ts";

let folder: string;
let first: TlsFiles;
let second: TlsFiles;

function selfSigned(name: string): TlsFiles {
  const cert = join(folder, `${name}.crt`);
  const key = join(folder, `${name}.key`);
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-days", "2"];
  execFileSync("openssl", ["req", "-x509", ...curve, ...subject, "-keyout", key, "-out", cert], { stdio: "ignore" });
  return { cert: readFileSync(cert), key: readFileSync(key) };
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "murmur-tls-"));
  first = selfSigned("first");
  second = selfSigned("second");
});

afterAll(() => rmSync(folder, { recursive: true }));

describe("TLS", () => {
  it("carries requests and WebSockets", async () => {
    const coordinator = openCoordinator({ tls: first });
    try {
      const origin = await coordinator.listen();
      expect(origin).toMatch(/^https:/);
      const status = await new Promise((resolve, reject) => {
        request(`${origin}/healthz`, { ca: first.cert }, (response) => resolve(response.statusCode))
          .on("error", reject)
          .end();
      });
      expect(status).toBe(200);
      const socket = new WebSocket(`${origin.replace("https", "wss")}/v1/events/stream`, { ca: first.cert });
      const message = new Promise((resolve, reject) => {
        socket.on("message", (data) => resolve(JSON.parse(String(data))));
        socket.on("error", reject);
      });
      coordinator.feed.append(eventOf(1));
      expect(await message).toEqual(eventOf(1));
      socket.terminate();
    } finally {
      await coordinator.close();
    }
  });

  it("is refused with files that cannot be used, and never tells what is in them", () => {
    for (const tls of [
      { cert: first.cert, key: second.key },
      { cert: "nonsense", key: first.key },
      { cert: first.cert, key: "nonsense" },
      { cert: first.key, key: first.cert },
    ]) {
      const error = refusal(() => openCoordinator({ tls }));
      expect(error.name).toBe("tls-invalid");
      expect(error.message).not.toMatch(/PRIVATE KEY|nonsense/);
    }
  });
});

function refusal(work: () => unknown): MurmurError {
  try {
    work();
  } catch (error) {
    if (error instanceof MurmurError) return error;
    throw error;
  }
  throw new Error("it was not refused");
}
