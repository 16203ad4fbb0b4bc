import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { DeviceAbort } from "../../client/secagg/device-abort.ts";
import { cryptoProvider as nodeProvider } from "../../shared/crypto/node-provider.ts";
import { cryptoProvider as portableProvider } from "../../shared/crypto/portable-provider.ts";
import { CryptoError } from "../../shared/crypto/provider.ts";
import {
  type Carriage,
  clientOf,
  deviceName,
  EXCHANGES,
  exchangeAnswered,
  runSession,
  vanishing,
} from "../secagg/session-harness.ts";
import { playRun, smallConfig } from "../simulations/experiments/run-fixtures.ts";
import {
  type AttackedSession,
  type AttackedSessionOptions,
  attackedSession,
  bodyOf,
  cheat,
  ending,
  isType,
  quickProvider,
  reframe,
  tamper,
} from "./fixture.ts";
import { leakFinder, type SecretSpy, spyOnSecrets } from "./secret-spy.ts";

const SIZE = 5;

interface SpiedSession {
  readonly session: AttackedSession;
  readonly spy: SecretSpy;
}

/** A session whose devices, and whose coordinator, compute through a spy. */
function spiedSession(carriage: Carriage = {}, options: Partial<AttackedSessionOptions> = {}): SpiedSession {
  const spy = spyOnSecrets(quickProvider);
  const session = attackedSession({
    size: SIZE,
    agreement: { rule: "complete", dimension: 8 },
    provider: () => spy.provider,
    identity: () => spy.provider.generateEd25519(),
    server: { provider: spy.provider },
    ...options,
  });
  runSession(session, carriage);
  return { session, spy };
}

/** Whatever a program could log of a session, in the ways it could. */
function everythingSaid({ devices, server, dropped }: AttackedSession): string {
  const clients = [...devices.values()].map(({ client }) => client);
  const said = {
    clients: clients.map((client) => ({ ...client })),
    server: { ...server, waitingFor: [...server.waitingFor] },
    dropped,
  };
  return `${JSON.stringify(said)}\n${inspect(said, { depth: 12, showHidden: true, maxArrayLength: null })}`;
}

const flipLast = (frame: Uint8Array): Uint8Array => {
  const body = bodyOf(frame);
  body[body.length - 1] ^= 1;
  return reframe(frame, body);
};

const SESSIONS: Record<string, { readonly carriage: Carriage; readonly ends: string; readonly size?: number }> = {
  "that is honest": { carriage: {}, ends: "done" },
  "with a device that drops out before its upload": {
    carriage: vanishing(new Map([[deviceName(1), { exchange: "mask", when: "before" }]])),
    ends: "done",
  },
  "with a device that aborts over its roster": { carriage: tamper("roster", flipLast, deviceName(2)), ends: "done" },
  "with a device that aborts over its survivors": {
    carriage: tamper("survivors", (frame) => reframe(frame, new Uint8Array(3)), deviceName(2)),
    ends: "done",
  },
  "with a device that aborts over its confirmations": {
    carriage: tamper("acks", flipLast, deviceName(2)),
    ends: "done",
  },
  "with a device whose shares are not signed": { carriage: cheat("shares", deviceName(3), flipLast), ends: "done" },
  "with a device that uploads too much": {
    carriage: cheat("masked", deviceName(3), (frame) => reframe(frame, Uint8Array.of(...bodyOf(frame), 0))),
    ends: "done",
  },
  "with a device that gives a wrong share, which is corrected": {
    carriage: cheat("unmask", deviceName(3), flipLast),
    ends: "done",
    size: 13,
  },
  "with a device that gives a share of no kind": {
    carriage: cheat("unmask", deviceName(3), (frame) => {
      const body = bodyOf(frame);
      body[0] = 0;
      return reframe(frame, body);
    }),
    ends: "done",
  },
  "that is abandoned over wrong shares": {
    carriage: cheat("unmask", [1, 2, 3].map(deviceName), flipLast),
    ends: "abandoned",
  },
  "that is abandoned for want of shares": {
    carriage: vanishing(
      new Map([1, 2, 3].map((i) => [deviceName(i), { exchange: "unmask" as const, when: "before" as const }])),
    ),
    ends: "abandoned",
  },
};

describe("no piece of a secret is said", () => {
  it("and a piece of one would be found, in any of its forms", () => {
    const secret = nodeProvider.random.bytes(32);
    const finds = leakFinder([secret]);
    const bytes = Buffer.from(secret);
    const blob = Buffer.concat([Buffer.from("x"), bytes, Buffer.from("yz")]);
    expect(finds(`key ${bytes.toString("hex").toUpperCase()}`)).toContain("hex");
    expect(finds(`key ${bytes.toString("hex", 8, 16)}…`)).toContain("hex");
    expect(finds(bytes.toString("base64"))).toContain("base64");
    expect(finds(blob.toString("base64url"))).toContain("base64");
    expect(finds(JSON.stringify({ secret }))).toContain("numbers");
    expect(finds(JSON.stringify({ secret: [...secret] }))).toContain("numbers");
    expect(finds(inspect(secret))).toContain("numbers");
    expect(finds(blob)).toContain("raw");
    expect(leakFinder([nodeProvider.random.bytes(32)])(JSON.stringify({ secret, hex: bytes.toString("hex") }))).toEqual(
      [],
    );
  });

  it.each(Object.entries(SESSIONS))("by a session %s", (_, { carriage, ends, size = SIZE }) => {
    const { session, spy } = spiedSession(carriage, { size });
    expect(session.server.stage).toBe(ends);
    expect(spy.secrets.length).toBeGreaterThan(100);
    expect(leakFinder(spy.secrets)(everythingSaid(session))).toEqual([]);
  });

  it("by the error of a device whose journal fails", () => {
    const spy = spyOnSecrets(quickProvider);
    const broken = {
      recordUpload: () => {
        throw new Error("the disk is full");
      },
    };
    const session = attackedSession({
      size: SIZE,
      agreement: { rule: "complete", dimension: 8 },
      provider: () => spy.provider,
      device: () => ({ journal: broken }),
    });
    let thrown: unknown;
    try {
      runSession(session);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({ message: "the disk is full" });
    expect(leakFinder(spy.secrets)(inspect(thrown, { showHidden: true }) + everythingSaid(session))).toEqual([]);
    const failed = [...session.devices.values()].filter(({ client }) => client.phase === "aborted");
    expect(failed.map(({ client }) => client.outcome)).toMatchObject([{ kind: "aborted", code: "stopped" }]);
  });

  it("in the folder of a run, in its events and in its result", async () => {
    const spy = spyOnSecrets(nodeProvider);
    const config = smallConfig({ fleet: { dropout: 0.2 }, round: { count: 2 } });
    const { folder, events, result } = await playRun(config, { provider: spy.provider });
    expect(result).toMatchObject({ status: "done", secagg: { exact: true } });
    expect(spy.secrets.length).toBeGreaterThan(500);
    const finds = leakFinder(spy.secrets);
    const files = readdirSync(folder);
    expect(files).toEqual(
      expect.arrayContaining(["events.ndjson", "run.json", "metrics.csv", "fleet-journal.ndjson", "run.db"]),
    );
    for (const file of files) expect(finds(readFileSync(join(folder, file))), file).toEqual([]);
    expect(finds(JSON.stringify({ events, result }))).toEqual([]);
  });
});

describe("equal inputs", () => {
  it("give uploads that have nothing in common, of two devices or in two sessions", () => {
    const agreement = { rule: "complete", dimension: 2048 } as const;
    const input = () => new Int32Array(2048).fill(77);
    const uploads = [1, 2].flatMap(() => {
      const { session } = spiedSession({}, { agreement, input, provider: () => quickProvider });
      return session.delivered.filter(({ frame }) => isType(frame, "masked")).map(({ frame }) => bodyOf(frame));
    });
    expect(uploads).toHaveLength(2 * SIZE);
    const blocks = uploads.flatMap((upload) => {
      const hex = Buffer.from(upload).toString("hex");
      return hex.match(/.{32}/g) ?? [];
    });
    expect(new Set(blocks).size).toBe(blocks.length);
    for (const [i, one] of uploads.entries()) {
      for (const other of uploads.slice(i + 1)) {
        // Of 40,960 bits half differ, give or take 101: six standard deviations are 0.015.
        expect(Math.abs(differingBits(one, other) / (8 * one.length) - 0.5)).toBeLessThan(0.015);
      }
    }
  });
});

function differingBits(one: Uint8Array, other: Uint8Array): number {
  let bits = 0;
  for (let i = 0; i < one.length; i++) {
    for (let difference = one[i] ^ other[i]; difference > 0; difference &= difference - 1) bits++;
  }
  return bits;
}

describe("a device's keys", () => {
  /** Only the subject computes through the spy. */
  function spySubject(carriage: Carriage, device: AttackedSessionOptions["device"] = () => ({})): SpiedSession {
    const spy = spyOnSecrets(quickProvider);
    const provider = (i: number) => (i === 0 ? spy.provider : quickProvider);
    const agreement = { rule: "complete", dimension: 8 } as const;
    const session = attackedSession({ size: SIZE, agreement, provider, device });
    runSession(session, carriage);
    return { session, spy };
  }

  function expectGone({ x25519Keys, handedOut }: SecretSpy): void {
    expect(x25519Keys).toHaveLength(2);
    for (const key of x25519Keys) {
      expect(() => key.agree(quickProvider.generateX25519().publicKey)).toThrow(CryptoError);
      expect(() => key.exportSecret()).toThrow(CryptoError);
    }
    const left = handedOut.filter(({ bytes }) => bytes.some((byte) => byte !== 0)).map(({ what }) => what);
    expect(left).toEqual([]);
  }

  it("are gone when the session is done, and every array that held a secret is overwritten", () => {
    const { session, spy } = spySubject({});
    expect(ending(session, 0)).toBe("done");
    expect(spy.handedOut.length).toBeGreaterThan(20);
    expectGone(spy);
  });

  it.each(EXCHANGES)("are gone when it aborts after it answered the exchange of %s", (exchange) => {
    const { session, spy } = spySubject({
      up(device, reply, running) {
        if (device === deviceName(0) && exchangeAnswered(reply[0]) === exchange) {
          clientOf(running, device).abort("stopped");
        }
        return reply;
      },
    });
    expect(ending(session, 0)).toBe("stopped");
    expectGone(spy);
  });

  it("are gone, and its neighbours' shares, when its journal refuses the upload", () => {
    const refused = () => {
      throw new DeviceAbort("already-uploaded", "for this model");
    };
    const { session, spy } = spySubject({}, (i) => (i === 0 ? { journal: { recordUpload: refused } } : {}));
    expect(ending(session, 0)).toBe("already-uploaded");
    expect(spy.handedOut.filter(({ what }) => what === "kept share")).toHaveLength(2 * (SIZE - 1));
    expectGone(spy);
  });

  it.each(["roster", "sharesForward", "survivors", "acks"] as const)("are gone when it aborts over %s", (type) => {
    const cut = (frame: Uint8Array) => frame.subarray(0, -1);
    const { session, spy } = spySubject(tamper(type, cut, deviceName(0)));
    expect(ending(session, 0)).toBe("malformed-message");
    expectGone(spy);
  });

  it("are gone under the portable provider, too", () => {
    const spy = spyOnSecrets({ ...portableProvider, verifyEd25519: quickProvider.verifyEd25519 });
    const provider = (i: number) => (i === 0 ? spy.provider : quickProvider);
    const session = attackedSession({ size: SIZE, agreement: { rule: "complete", dimension: 8 }, provider });
    runSession(session);
    expect(ending(session, 0)).toBe("done");
    expectGone(spy);
  });
});
