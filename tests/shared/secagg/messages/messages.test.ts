import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { EncodingError } from "../../../../shared/protocol/encoding.ts";
import { decodeAgreement, encodeAgreement } from "../../../../shared/secagg/agreement.ts";
import {
  CERTIFICATE_BYTES,
  certificateFromHex,
  certificateToHex,
  decodeCertificate,
  encodeCertificate,
} from "../../../../shared/secagg/certificates.ts";
import { decodeBitmap, encodeBitmap } from "../../../../shared/secagg/messages/bitmap.ts";
import {
  BOX_BYTES,
  decodeAcks,
  decodeDone,
  decodeRoster,
  decodeShares,
  decodeSharesForward,
  decodeSignature,
  decodeUnmask,
  encodeAcks,
  encodeDone,
  encodeRoster,
  encodeShares,
  encodeSharesForward,
  encodeUnmask,
} from "../../../../shared/secagg/messages/exchanges.ts";
import { decodeRosterEntry, encodeRosterEntry } from "../../../../shared/secagg/messages/roster-entry.ts";
import { createSlotTable } from "../../../../shared/secagg/slots.ts";
import { testAgreement } from "../../../secagg/session-harness.ts";

const bytes = (length: number, value = 5) => new Uint8Array(length).fill(value);

const entry = (value: number, certificateLength = CERTIFICATE_BYTES) => ({
  idPk: bytes(32, value),
  certificate: bytes(certificateLength, 1),
  channelKey: bytes(32, value + 1),
  maskKey: bytes(32, value + 2),
  signature: bytes(64, value + 3),
});

const agreement = testAgreement({
  slots: createSlotTable([
    { name: "weight", max: 1, scale: 64, excess: "error" },
    { name: "correct", max: 600, scale: 1, excess: "clamp" },
  ]),
  transforms: ["clip:1", "quantise:8:1"],
  noiseShare: 0.25,
});

interface Codec {
  readonly name: string;
  readonly encoded: Uint8Array;
  /** Reads the message and writes it again. */
  again(encoded: Uint8Array): Uint8Array;
}

const CODECS: readonly Codec[] = [
  { name: "agreement", encoded: encodeAgreement(agreement), again: (e) => encodeAgreement(decodeAgreement(e)) },
  {
    name: "certificate",
    encoded: encodeCertificate({ expiry: 1_800_000_000.5, signature: bytes(64) }),
    again: (e) => encodeCertificate(decodeCertificate(e)),
  },
  {
    name: "ADVERTISE",
    encoded: encodeRosterEntry(entry(3)),
    again: (e) => encodeRosterEntry(decodeRosterEntry(e)),
  },
  {
    name: "ADVERTISE without a certificate",
    encoded: encodeRosterEntry(entry(3, 0)),
    again: (e) => encodeRosterEntry(decodeRosterEntry(e)),
  },
  {
    name: "ROSTER",
    encoded: encodeRoster({ entries: [entry(3), entry(9, 0)], graphSeed: bytes(32) }),
    again: (e) => encodeRoster(decodeRoster(e, 2)),
  },
  {
    name: "SHARES",
    encoded: encodeShares({ boxes: bytes(3 * BOX_BYTES), commitment: bytes(32), signature: bytes(64) }),
    again: (e) => encodeShares(decodeShares(e, 3)),
  },
  {
    name: "ACKS",
    encoded: encodeAcks({ confirmations: [1, 5].map((index) => ({ index, signature: bytes(64) })) }),
    again: (e) => encodeAcks(decodeAcks(e, 2)),
  },
  {
    name: "UNMASK",
    encoded: encodeUnmask([
      { kind: "seed", value: bytes(32) },
      { kind: "none", value: bytes(32, 0) },
      { kind: "maskKey", value: bytes(32, 7) },
    ]),
    again: (e) => encodeUnmask(decodeUnmask(e, 3)),
  },
  { name: "ACK", encoded: bytes(64), again: (e) => decodeSignature(e) },
  {
    name: "DONE",
    encoded: encodeDone({ resultHash: bytes(32), survivors: 26 }),
    again: (e) => encodeDone(decodeDone(e)),
  },
];

describe.each(CODECS)("$name", ({ encoded, again }) => {
  test("reads back as it was written", () => {
    expect(again(encoded)).toEqual(encoded);
  });

  test("is refused when it is cut anywhere, or when anything follows", () => {
    for (let length = 0; length < encoded.length; length++) {
      expect(() => again(encoded.subarray(0, length))).toThrow(EncodingError);
    }
    expect(() => again(Uint8Array.of(...encoded, 0))).toThrow(EncodingError);
  });

  test("has one encoding: whatever else is accepted, is written as it was read", () => {
    const position = fc.nat(encoded.length - 1);
    fc.assert(
      fc.property(fc.array(fc.tuple(position, fc.nat(255)), { minLength: 1, maxLength: 3 }), (changes) => {
        const changed = encoded.slice();
        for (const [at, value] of changes) changed[at] = value;
        let rewritten: Uint8Array;
        try {
          rewritten = again(changed);
        } catch (error) {
          expect(error).toBeInstanceOf(EncodingError);
          return;
        }
        expect(rewritten).toEqual(changed);
      }),
      { numRuns: 200 },
    );
  });
});

test("an agreement reads back with every field", () => {
  expect(decodeAgreement(encodeAgreement(agreement))).toEqual(agreement);
});

test("a certificate passes through a line of text", () => {
  const certificate = { expiry: 1_800_000_000, signature: bytes(64, 0xab) };
  expect(certificateFromHex(certificateToHex(certificate))).toEqual(certificate);
});

test("SHARES_FWD: a bitmap of the roster's size, then the boxes", () => {
  const message = { sharing: encodeBitmap([0, 9], 10), boxes: bytes(2 * BOX_BYTES) };
  expect(decodeSharesForward(encodeSharesForward(message), 10)).toEqual(message);
  expect(() => decodeSharesForward(bytes(1), 10)).toThrow(EncodingError);
});

test("lengths that the graph gives are held to", () => {
  expect(() => decodeRoster(encodeRoster({ entries: [entry(1), entry(5)], graphSeed: bytes(32) }), 1)).toThrow(
    EncodingError,
  );
  expect(() => decodeAcks(encodeAcks({ confirmations: [{ index: 0, signature: bytes(64) }] }), 0)).toThrow(
    EncodingError,
  );
});

test("a share of no kind has no value", () => {
  expect(() => decodeUnmask(encodeUnmask([{ kind: "none", value: bytes(32) }]), 1)).toThrow(EncodingError);
  expect(() => decodeUnmask(Uint8Array.of(3, ...bytes(32)), 1)).toThrow(EncodingError);
});

describe("bitmaps", () => {
  test("device i is bit i mod 8 from the lowest, of byte i / 8", () => {
    expect(encodeBitmap([0, 3, 8], 11)).toEqual(Uint8Array.of(0b00001001, 0b1));
  });

  test("any set reads back, ascending", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 70 }), fc.array(fc.nat(69)), (size, indices) => {
        const set = new Set(indices.filter((index) => index < size));
        const decoded = decodeBitmap(encodeBitmap(set, size), size);
        expect([...decoded]).toEqual([...set].sort((a, b) => a - b));
      }),
    );
  });

  test("another length, and a bit beyond the roster, are refused", () => {
    expect(() => decodeBitmap(bytes(1, 0), 9)).toThrow(EncodingError);
    expect(() => decodeBitmap(bytes(3, 0), 9)).toThrow(EncodingError);
    expect(() => decodeBitmap(Uint8Array.of(0, 0b10), 9)).toThrow(EncodingError);
    expect(() => encodeBitmap([9], 9)).toThrow(RangeError);
  });
});
