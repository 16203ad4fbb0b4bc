import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";
import { pino } from "pino";
import { afterAll, expect, it } from "vitest";
import { machineTime } from "../../cli/machine-time.ts";
import { DEFAULT_POLICY } from "../../client/secagg/policy.ts";
import { downloadModel, enrolDevices } from "../../client/transport/http.ts";
import { webSocketDial } from "../../client/transport/websocket.ts";
import { EVENT_LOG_FILE } from "../../server/store/run-store.ts";
import { toHex } from "../../shared/crypto/bytes.ts";
import { cryptoProvider } from "../../shared/crypto/node-provider.ts";
import { steadyClock } from "../../shared/time/steady-clock.ts";
import { createStopSwitch } from "../../shared/time/stop-signal.ts";
import { runExperiment } from "../../simulations/experiments/run.ts";
import type { ServeFile } from "../../simulations/experiments/serve-file.ts";
import { federateServed } from "../../simulations/experiments/served-federation.ts";
import { joinFleet } from "../../simulations/fleet/joined-fleet.ts";
import { spyOnSecrets } from "../adversary/secret-spy.ts";
import { memoryJournal } from "../client/device-fixtures.ts";
import { STAMP, smallConfig } from "../simulations/experiments/run-fixtures.ts";

const temporary = mkdtempSync(join(tmpdir(), "murmur-leaks-"));
afterAll(() => rmSync(temporary, { recursive: true, force: true }));

const DEVICES = 10;

it("no key, seed, share or mask of devices or coordinator is in the log, the events or the answers of a served run", async () => {
  const config = smallConfig({
    fleet: { devices: DEVICES, dropout: 0.3 },
    round: { count: 3, cohort: 6, overSelection: 1.5, minCohort: 4, deadline: "3s", exchangeDeadline: "2s" },
  });
  const spy = spyOnSecrets(cryptoProvider);
  const updates: Uint8Array[] = [];
  let log = "";
  const logger = pino(
    { level: "trace" },
    new Writable({
      write(chunk, _encoding, done) {
        log += String(chunk);
        done();
      },
    }),
  );
  const stop = createStopSwitch();
  const folder = join(temporary, "run");
  let listening: (serving: ServeFile) => void = () => {};
  const serving = new Promise<ServeFile>((resolve) => {
    listening = resolve;
  });
  const run = runExperiment({
    config,
    folder,
    runId: "leaks",
    resume: false,
    stamp: STAMP,
    provider: spy.provider,
    onEvent: () => {},
    stop,
    clock: () => Date.now(),
    stopwatch: () => performance.now(),
    breathe: () => new Promise((resolve) => setImmediate(resolve)),
    transport: "sockets",
    federate: federateServed({
      port: 0,
      version: "0",
      logger,
      time: machineTime,
      defer: (task) => void setImmediate(task),
      stop,
      onListening: (found) => listening(found),
    }),
  });
  const { url, joinToken, operatorToken } = await Promise.race([
    serving,
    run.then(() => Promise.reject(new Error("over"))),
  ]);
  const origin = new URL(url);
  const world = { origin, software: "test", clock: steadyClock(machineTime), provider: spy.provider };
  const identities = Array.from({ length: DEVICES }, () => {
    const key = spy.provider.generateEd25519();
    return { publicKey: key.publicKey, sign: (message: Uint8Array) => key.sign(message) };
  });
  const dial = webSocketDial(world);
  const fleet = joinFleet({
    members: identities.map((identity) => ({ identity, journal: memoryJournal() })),
    provider: spy.provider,
    policy: { ...DEFAULT_POLICY, minCohort: 4, minHonest: 2 },
    maxRoundsPerDay: 1000,
    engine: "onnx",
    audience: origin.host,
    software: "test",
    time: machineTime,
    dial: (events) => {
      const transport = dial(events);
      return {
        ...transport,
        send(frame) {
          // Of an upload, a piece in the middle.
          if (frame.length > 10_000) updates.push(frame.slice(5_000, 5_032));
          transport.send(frame);
        },
      };
    },
    fetchModel: (hash, bytes) => downloadModel(world, hash, bytes),
    enrol: () => enrolDevices(world, origin.host, joinToken, identities),
    breathe: () => new Promise((resolve) => setImmediate(resolve)),
    report: () => {},
  });
  let answers = "";
  const looking = setInterval(() => {
    for (const path of ["/v1/status", "/metrics", "/v1/openapi.json"]) {
      fetch(`${url}${path}`)
        .then((response) => response.text())
        .then((text) => {
          answers += text;
        })
        .catch(() => {});
    }
  }, 500);
  const result = await run;
  clearInterval(looking);
  await fleet.ended;
  expect(result.status).toBe("done");
  const events = readFileSync(join(folder, EVENT_LOG_FILE), "utf8");
  expect(log).toContain("device lost");
  expect(answers).toContain("murmuration_rounds_total");
  expect(spy.secrets.length).toBeGreaterThan(500);
  expect(updates.length).toBeGreaterThan(10);

  const said = `${log}\n${events}\n${answers}`;
  for (const token of [joinToken, operatorToken]) expect(said.includes(token.slice(-43))).toBe(false);
  expect(leaked(said, [...spy.secrets, ...updates])).toBe(0);
  // What is looked for would be found.
  const [planted] = spy.secrets;
  for (const form of [toHex(planted), Buffer.from(planted).toString("base64url"), JSON.stringify([...planted])]) {
    expect(leaked(`${said}\n${form}`, spy.secrets)).toBeGreaterThan(0);
  }
}, 120_000);

/** How many of the secrets stand in the text, as hexadecimal, base64 or a list of numbers. */
function leaked(text: string, secrets: readonly Uint8Array[]): number {
  const words = [...new Set(text.match(/[0-9A-Za-z+/_-]{24,}/g) ?? [])]
    .join(" ")
    .replaceAll("-", "+")
    .replaceAll("_", "/");
  const numbers = text.replaceAll(/\s/g, "");
  return secrets.filter((secret) => {
    const hex = toHex(secret).slice(0, 24);
    const base64 = Buffer.from(secret).toString("base64").slice(0, 24);
    return words.includes(hex) || words.includes(base64) || numbers.includes([...secret.subarray(0, 8)].join(","));
  }).length;
}
