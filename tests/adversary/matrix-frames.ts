import {
  encodeAuthentication,
  encodeChallenge,
  encodeCheckIn,
  encodePace,
  encodeRefused,
  encodeWelcome,
} from "../../shared/protocol/connection-messages.ts";
import {
  encodeAccept,
  encodeBegin,
  encodeConfiguration,
  encodeDecline,
  encodeModel,
  encodeReleased,
  encodeTrained,
} from "../../shared/protocol/control-messages.ts";
import { encodeFrame, FRAME_TYPES, type FrameTypeName, frameType, NO_INDEX } from "../../shared/protocol/frame.ts";
import { ABORT_CODES } from "../../shared/protocol/reasons.ts";
import { contextHash } from "../../shared/secagg/agreement.ts";
import { deviceName, NOW_SECONDS, runSession, testAgreement, testPolicy } from "../secagg/session-harness.ts";
import { attackedSession, nameDigest, quickProvider, reframe, repeatableProvider } from "./fixture.ts";

/** One honest session on the complete graph, its randomness fixed, and a valid frame of every type that belongs to it. */
const DEVICES = 5;
export const SUBJECT = deviceName(0);
export const TYPES = Object.keys(FRAME_TYPES) as FrameTypeName[];
export const agreement = testAgreement({ rule: "complete", dimension: 8 });
const identities = Array.from({ length: DEVICES }, (_, i) =>
  quickProvider.importEd25519(nameDigest(quickProvider, `matrix identity ${i}`)),
);

export function clientOptions(i: number) {
  const { publicKey, sign } = identities[i];
  return {
    provider: repeatableProvider(quickProvider, `matrix device ${i}`),
    agreement,
    identity: { publicKey, sign },
    policy: testPolicy(),
    input: Int32Array.from({ length: agreement.dimension }, (_, j) => 10 * i + j),
    journal: { recordUpload: () => {} },
    nowSeconds: NOW_SECONDS,
  };
}

export const honest = runSession(
  attackedSession({ size: DEVICES, agreement, identity: (i) => identities[i], device: (i) => clientOptions(i) }),
);

const NONCE = nameDigest(quickProvider, "matrix challenge");

/** One valid frame of each type, as it would reach or leave the subject. */
const FRAMES = new Map<FrameTypeName, Uint8Array>(TYPES.map((type) => [type, validFrame(type)]));

function validFrame(type: FrameTypeName): Uint8Array {
  const recorded = honest.delivered.find(
    ({ device, frame }) => device === SUBJECT && frameType(frame) === FRAME_TYPES[type],
  );
  if (recorded !== undefined) return recorded.frame;
  const { roundId } = agreement;
  const binding = { roundId, context: contextHash(quickProvider, agreement) };
  switch (type) {
    case "configure":
      return encodeConfiguration(binding, {
        agreement,
        model: "softmax",
        parameters: 8,
        training: { epochs: 1, batchSize: 1, learningRate: 0.1 },
        deadlines: { configure: 1, train: 1, exchange: 1 },
      });
    case "model":
      return encodeModel(binding, new Uint8Array(32));
    case "decline":
      return encodeDecline(binding, "policy");
    case "released":
      return encodeReleased(binding, "over-selected");
    case "accept":
      return encodeAccept(binding);
    case "trained":
      return encodeTrained(binding);
    case "begin":
      return encodeBegin(binding);
    case "challenge":
      return encodeChallenge({ nonce: NONCE, population: agreement.population, heartbeat: 1000 });
    case "authenticate":
      return encodeAuthentication(NONCE, {
        idPk: identities[0].publicKey,
        certificate: new Uint8Array(0),
        audience: "127.0.0.1:1",
        software: "test",
        signature: new Uint8Array(64),
      });
    case "welcome":
      return encodeWelcome(NONCE, { device: SUBJECT });
    case "refused":
      return encodeRefused(NONCE, { reason: "revoked", message: "" });
    case "checkIn":
      return encodeCheckIn(NONCE);
    case "pace":
      return encodePace(NONCE, { min: 0, max: 1 });
    case "plainUpdate":
    case "abort": {
      const header = { flags: 0, roundId, binding: binding.context, sender: NO_INDEX, sequence: 0 };
      const body = type === "abort" ? Uint8Array.of(ABORT_CODES.deadline) : new Uint8Array(20);
      return encodeFrame({ ...header, type: FRAME_TYPES[type] }, body);
    }
    default:
      throw new Error(`the session has no ${type}`);
  }
}

export function frameOf(type: FrameTypeName): Uint8Array {
  const frame = FRAMES.get(type);
  if (frame === undefined) throw new Error(`no frame ${type}`);
  return frame.slice();
}

/** A table: the first line names the columns, every other a row and its cells. */
export function table(text: string): {
  readonly columns: string[];
  readonly rows: ReadonlyMap<string, readonly string[]>;
} {
  const [columns, ...lines] = text
    .trim()
    .split("\n")
    .map((line) => line.trim().split(/\s+/));
  return { columns, rows: new Map(lines.map(([name, ...cells]) => [name, cells])) };
}

/** The rows of a table as it came out, beside the expected ones: a failure shows the whole matrix. */
export function fill(
  columns: readonly string[],
  rows: Iterable<string>,
  cell: (row: string, column: string) => string,
) {
  return new Map([...rows].map((row) => [row, columns.map((column) => cell(row, column))]));
}

export const flip = (frame: Uint8Array, at: number, bit = 0): Uint8Array => {
  frame[at < 0 ? frame.length + at : at] ^= 1 << bit;
  return frame;
};
const body = (frame: Uint8Array) => frame.subarray(64);
export const DAMAGE: Record<string, (frame: Uint8Array) => Uint8Array> = {
  empty: () => new Uint8Array(0),
  "one-byte": (frame) => frame.subarray(0, 1),
  "half-header": (frame) => frame.subarray(0, 32),
  "header-only": (frame) => frame.subarray(0, 64),
  "last-byte-cut": (frame) => frame.subarray(0, -1),
  "byte-appended": (frame) => Uint8Array.of(...frame, 0),
  "body-empty": (frame) => reframe(frame, new Uint8Array(0)),
  "body-shorter": (frame) => reframe(frame, body(frame).subarray(0, -1)),
  "body-longer": (frame) => reframe(frame, Uint8Array.of(...body(frame), 0)),
  "flip-magic": (frame) => flip(frame, 0),
  "flip-version": (frame) => flip(frame, 4),
  "flip-type": (frame) => flip(frame, 5, 7),
  "flip-suite": (frame) => flip(frame, 6),
  "flip-flags": (frame) => flip(frame, 7),
  "flip-round": (frame) => flip(frame, 20),
  "flip-binding": (frame) => flip(frame, 40),
  "flip-sender": (frame) => flip(frame, 57),
  "flip-sequence": (frame) => flip(frame, 59),
  "flip-length": (frame) => flip(frame, 63),
  "flip-body-last": (frame) => flip(frame, -1),
};
