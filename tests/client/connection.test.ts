import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type ConnectionOptions, createDeviceConnection, HANDSHAKE_PATIENCE } from "../../client/connection.ts";
import { cryptoProvider } from "../../shared/crypto/node-provider.ts";
import {
  decodeAuthentication,
  encodeAuthentication,
  encodeChallenge,
  encodeCheckIn,
  encodePace,
  encodeRefused,
  encodeWelcome,
} from "../../shared/protocol/connection-messages.ts";
import { encodeReleased } from "../../shared/protocol/control-messages.ts";
import { decodeFrame, encodeFrame, FRAME_TYPES, HEADER_BYTES } from "../../shared/protocol/frame.ts";
import { REFUSALS, type Refusal } from "../../shared/protocol/reasons.ts";
import { issueCertificate } from "../../shared/secagg/certificates.ts";
import { AUDIENCE, challenge, connectionOptions, greeting, HEARTBEAT, proves, typesOf } from "./connection-fixtures.ts";
import { NOW, offer, testDevice } from "./device-fixtures.ts";

type Phase = "opened" | "authenticating" | "welcomed";

/** A connection that has been brought to a phase. */
function connectionIn(phase: Phase, changes: Partial<ConnectionOptions> = {}) {
  const asked = challenge();
  const connection = createDeviceConnection(NOW, connectionOptions(changes));
  const [first, second] = greeting(asked);
  if (phase !== "opened") connection.receive(NOW, first);
  if (phase === "welcomed") connection.receive(NOW, second);
  expect(connection.phase).toBe(phase);
  return { connection, asked };
}

const PHASES: readonly Phase[] = ["opened", "authenticating", "welcomed"];

describe("a connection that goes well", () => {
  it("proves the key to the challenge and to whom it dialled, is welcomed by name, and checks in", () => {
    const asked = challenge();
    const names: string[] = [];
    const device: ConnectionOptions["device"] = (welcome) => {
      names.push(welcome.device);
      return testDevice();
    };
    const connection = createDeviceConnection(NOW, connectionOptions({ device }));
    const [authentication, ...others] = connection.receive(NOW, encodeChallenge(asked)).send;
    expect(others).toEqual([]);
    expect(proves(authentication, asked)).toBe(true);
    expect(proves(authentication, asked, "elsewhere:8080")).toBe(false);
    expect(proves(authentication, challenge())).toBe(false);
    expect(proves(authentication, { ...asked, population: "other" })).toBe(false);
    const welcomed = connection.receive(NOW, encodeWelcome(asked.nonce, { device: "d-0042" }));
    expect(welcomed.welcomed).toEqual({ device: "d-0042" });
    expect(names).toEqual(["d-0042"]);
    expect(welcomed.send).toEqual([encodeCheckIn(asked.nonce)]);
  });

  it("shows its certificate, and signs it too", () => {
    const key = cryptoProvider.generateEd25519();
    const certificate = issueCertificate(cryptoProvider.generateEd25519(), "test", key.publicKey, 9);
    const identity = { publicKey: key.publicKey, sign: (message: Uint8Array) => key.sign(message), certificate };
    const asked = challenge();
    const connection = createDeviceConnection(NOW, connectionOptions({ identity }));
    const [frame] = connection.receive(NOW, encodeChallenge(asked)).send;
    const authentication = decodeAuthentication(decodeFrame(frame).body);
    expect(authentication).toMatchObject({ idPk: key.publicKey, audience: AUDIENCE, software: "test/1" });
    expect(authentication.certificate).toHaveLength(72);
    expect(proves(frame, asked)).toBe(true);
    const stripped = encodeAuthentication(asked.nonce, { ...authentication, certificate: new Uint8Array(0) });
    expect(proves(stripped, asked)).toBe(false);
  });

  it("carries rounds, and checks in again after each, however it ends", () => {
    const { connection } = connectionIn("welcomed");
    const { configure, model, binding } = offer();
    expect(connection.idle).toBe(true);
    expect(connection.receive(NOW, configure).send).toEqual([]);
    expect(connection.idle).toBe(false);
    const asked = connection.receive(NOW, model[0]);
    expect(typesOf(asked.send)).toEqual(["accept"]);
    expect(asked.train).toBeDefined();
    const released = connection.receive(NOW, encodeReleased(binding, "over-selected"));
    expect(typesOf(released.send)).toEqual(["checkIn"]);
    expect(released.round).toEqual({ number: 7, outcome: { kind: "released", reason: "over-selected" } });

    const declined = connectionIn("welcomed", { device: () => testDevice({ acceptsSimulation: false }) });
    const no = declined.connection.receive(NOW, configure);
    expect(typesOf(no.send)).toEqual(["decline", "checkIn"]);
    expect(no.round?.outcome).toMatchObject({ kind: "declined", code: "policy" });
  });

  it("gives a round up at the device's own deadline, and stays", () => {
    const { connection } = connectionIn("welcomed");
    connection.receive(NOW, offer().configure);
    const at = connection.deadline!;
    expect(at).toBeLessThan(NOW + 3 * HEARTBEAT);
    const late = connection.tick(at);
    expect(typesOf(late.send)).toEqual(["decline", "checkIn"]);
    expect(late.end).toBeUndefined();
  });
});

describe("whatever comes out of turn", () => {
  const asked = challenge();
  const messages: Record<string, (nonce: Uint8Array) => Uint8Array> = {
    challenge: (nonce) => encodeChallenge({ ...asked, nonce }),
    authenticate: (nonce) => {
      const signature = new Uint8Array(64);
      const authentication = { idPk: new Uint8Array(32), certificate: new Uint8Array(0), audience: "", software: "" };
      return encodeAuthentication(nonce, { ...authentication, signature });
    },
    welcome: (nonce) => encodeWelcome(nonce, { device: "d-0000" }),
    refused: (nonce) => encodeRefused(nonce, { reason: "revoked", message: "no" }),
    checkIn: encodeCheckIn,
    pace: (nonce) => encodePace(nonce, { min: 1, max: 2 }),
    configure: () => offer().configure,
    released: () => encodeReleased(offer().binding, "stopped"),
  };
  const welcome: Record<Phase, readonly string[]> = {
    opened: ["challenge", "refused"],
    authenticating: ["welcome", "refused"],
    welcomed: ["pace", "refused", "configure", "released"],
  };
  const cases = PHASES.flatMap((phase) => Object.keys(messages).map((name) => [phase, name] as const));

  it.each(cases)("%s: %s", (phase, name) => {
    const { connection, asked } = connectionIn(phase);
    const effects = connection.receive(NOW, messages[name](asked.nonce));
    if (welcome[phase].includes(name)) {
      expect(effects.end?.kind).toBe({ refused: "refused", pace: "paced" }[name]);
    } else {
      expect(effects).toMatchObject({ send: [], end: { kind: "broken" } });
      expect(connection.phase).toBe("ended");
      expect(connection.deadline).toBeUndefined();
    }
  });

  it.each([
    ["welcome", "authenticating"],
    ["refused", "authenticating"],
    ["pace", "welcomed"],
    ["refused", "welcomed"],
  ] as const)("a %s of another connection is not believed, while %s", (name, phase) => {
    const { connection } = connectionIn(phase);
    const effects = connection.receive(NOW, messages[name](challenge().nonce));
    expect(effects.end).toEqual({ kind: "broken", detail: "a frame of another connection" });
  });

  it("a frame of the connection that names a round is none", () => {
    const { connection, asked } = connectionIn("welcomed");
    const header = {
      ...decodeFrame(encodePace(asked.nonce, { min: 1, max: 2 })).header,
      roundId: new Uint8Array(16).fill(1),
    };
    expect(connection.receive(NOW, encodeFrame(header, new Uint8Array(8))).end?.kind).toBe("broken");
  });

  it("nothing is read any more once it has ended", () => {
    const { connection, asked } = connectionIn("welcomed");
    connection.receive(NOW, encodePace(asked.nonce, { min: 1, max: 2 }));
    for (const message of Object.values(messages)) {
      expect(connection.receive(NOW, message(asked.nonce))).toEqual({ send: [] });
    }
    expect(connection.tick(NOW + 1e9)).toEqual({ send: [] });
  });

  it("no bytes make it do anything but go on or end", () => {
    const frames = (nonce: Uint8Array) => Object.values(messages).map((message) => message(nonce));
    fc.assert(
      fc.property(
        fc.constantFrom(...PHASES),
        fc.nat({ max: 7 }),
        fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { maxLength: 4 }),
        fc.nat({ max: 200 }),
        (phase, which, changes, cut) => {
          const { connection, asked } = connectionIn(phase);
          const frame = frames(asked.nonce)[which].slice();
          for (const [at, byte] of changes) frame[at % frame.length] = byte;
          const effects = connection.receive(NOW, frame.subarray(0, frame.length - (cut > 100 ? cut - 100 : 0)));
          if (effects.end?.kind === "broken") expect(connection.phase).toBe("ended");
        },
      ),
    );
  });

  it.each([0, HEADER_BYTES - 1, HEADER_BYTES])("a frame cut to %d bytes ends it", (length) => {
    for (const phase of PHASES) {
      const { connection, asked } = connectionIn(phase);
      const frame = encodeWelcome(asked.nonce, { device: "d-0000" }).subarray(0, length);
      expect(connection.receive(NOW, frame).end?.kind).toBe("broken");
    }
  });

  it.each([0, 9, 3_600_001, 2 ** 32 - 1])("a heartbeat of %d ms is not served", (heartbeat) => {
    const { connection } = connectionIn("opened");
    const effects = connection.receive(NOW, encodeChallenge(challenge({ heartbeat })));
    expect(effects).toMatchObject({ send: [], end: { kind: "broken" } });
  });

  it("a frame of a type that nobody has yet is a fault", () => {
    const { connection, asked } = connectionIn("welcomed");
    const frame = encodeCheckIn(asked.nonce).slice();
    frame[5] = 99;
    expect(connection.receive(NOW, frame).end).toEqual({ kind: "broken", detail: "there is no frame type 99" });
    expect(FRAME_TYPES).not.toContain(99);
  });
});

describe("a coordinator that falls silent", () => {
  it.each(["opened", "authenticating"] as const)("is given up after ten seconds, while %s", (phase) => {
    const { connection } = connectionIn(phase);
    expect(connection.deadline).toBe(NOW + HANDSHAKE_PATIENCE);
    connection.heard(NOW + 9_000);
    expect(connection.tick(NOW + HANDSHAKE_PATIENCE - 1)).toEqual({ send: [] });
    expect(connection.tick(NOW + HANDSHAKE_PATIENCE).end?.kind).toBe("broken");
  });

  it("is given up after three heartbeats without a sign of life, and a ping is one", () => {
    const { connection } = connectionIn("welcomed");
    connection.heard(NOW + 10_000);
    expect(connection.deadline).toBe(NOW + 10_000 + 3 * HEARTBEAT);
    expect(connection.tick(NOW + 3 * HEARTBEAT)).toEqual({ send: [] });
    expect(connection.tick(NOW + 10_000 + 3 * HEARTBEAT).end).toMatchObject({ kind: "broken" });
  });

  it("takes the round with it", () => {
    const device = testDevice();
    const { connection } = connectionIn("welcomed", { device: () => device });
    const { configure, model } = offer();
    connection.receive(NOW, configure);
    connection.receive(NOW, model[0]);
    const effects = connection.tick(NOW + 3 * HEARTBEAT);
    expect(effects.end?.kind).toBe("broken");
    expect(effects.round?.outcome).toEqual({ kind: "released", reason: "disconnected" });
    expect(device.phase).toBe("idle");
  });
});

describe("being sent away", () => {
  it("tells the window", () => {
    const { connection, asked } = connectionIn("welcomed");
    const effects = connection.receive(NOW, encodePace(asked.nonce, { min: 1000, max: 5000 }));
    expect(effects.end).toEqual({ kind: "paced", window: { min: 1000, max: 5000 } });
  });

  const reasons = Object.keys(REFUSALS) as Refusal[];
  it.each(reasons.flatMap((reason) => PHASES.map((phase) => [reason, phase] as const)))(
    "%s, while %s, tells reason, message and window",
    (reason, phase) => {
      const { connection, asked } = connectionIn(phase);
      const window = { min: 1, max: 2 };
      const effects = connection.receive(NOW, encodeRefused(asked.nonce, { reason, message: "because", window }));
      expect(effects).toEqual({ send: [], end: { kind: "refused", reason, message: "because", window } });
    },
  );
});
