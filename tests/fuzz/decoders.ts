import {
  decodeAuthentication,
  decodeChallenge,
  decodePace,
  decodeRefused,
  decodeWelcome,
  encodeAuthentication,
  encodeChallenge,
  encodePace,
  encodeRefused,
  encodeWelcome,
} from "../../shared/protocol/connection-messages.ts";
import {
  decodeAbortCode,
  decodeConfiguration,
  decodeReleased,
  encodeConfiguration,
  encodeDecline,
  encodeReleased,
} from "../../shared/protocol/control-messages.ts";
import { EncodingError } from "../../shared/protocol/encoding.ts";
import {
  decodeFrame,
  FRAME_TYPES,
  FrameError,
  type FrameHeader,
  type FrameTypeName,
} from "../../shared/protocol/frame.ts";
import { decodeCertificate, encodeCertificate } from "../../shared/secagg/certificates.ts";
import { decodeBitmap, encodeBitmap } from "../../shared/secagg/messages/bitmap.ts";
import {
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
} from "../../shared/secagg/messages/exchanges.ts";
import { decodeRosterEntry, encodeRosterEntry } from "../../shared/secagg/messages/roster-entry.ts";
import { createRingAccumulator, PackedVectorError } from "../../shared/secagg/ring-accumulator.ts";

/** What a body's decoder has to be told. */
export interface BodyShape {
  /** Devices in the roster; each has all the others for neighbours. */
  readonly roster: number;
  readonly dimension: number;
  readonly bits: number;
}

/** A body's decoder, and its way back: what was read has to be written as it came. */
export interface BodyDecoder {
  readonly type: FrameTypeName;
  /** What it may throw. */
  readonly error: typeof EncodingError | typeof PackedVectorError;
  /** The bytes that it read, encoded again; undefined where they mean nothing. */
  again(body: Uint8Array, header: FrameHeader, shape: BodyShape): Uint8Array | undefined;
}

function decoder(
  type: FrameTypeName,
  again: BodyDecoder["again"],
  error: BodyDecoder["error"] = EncodingError,
): BodyDecoder {
  return { type, error, again };
}

/** A decoder of which the frame's own encoder is the way back. */
function framed(type: FrameTypeName, again: (body: Uint8Array, header: FrameHeader) => Uint8Array): BodyDecoder {
  return decoder(type, (body, header) => decodeFrame(again(body, header)).body, FrameError);
}

const bindingOf = ({ roundId, binding }: FrameHeader) => ({ roundId, context: binding });

function code(type: "decline" | "abort"): BodyDecoder {
  return decoder(type, (body, header) => {
    const known = decodeAbortCode(body);
    return known && decodeFrame(encodeDecline(bindingOf(header), known)).body;
  });
}

function packed(type: "masked" | "plainUpdate"): BodyDecoder {
  const again: BodyDecoder["again"] = (body, _, { dimension, bits }) => {
    const accumulator = createRingAccumulator(dimension, bits);
    try {
      accumulator.addPacked(body);
      return accumulator.pack();
    } finally {
      accumulator.dispose();
    }
  };
  return decoder(type, again, PackedVectorError);
}

/** Every decoder that meets bytes from the wire. */
export const BODY_DECODERS: readonly BodyDecoder[] = [
  framed("configure", (body, header) => encodeConfiguration(bindingOf(header), decodeConfiguration(body))),
  framed("released", (body, header) => encodeReleased(bindingOf(header), decodeReleased(body))),
  code("decline"),
  code("abort"),
  packed("plainUpdate"),
  packed("masked"),
  decoder("advertise", (body) => encodeRosterEntry(decodeRosterEntry(body))),
  decoder("advertise", (body) => {
    const entry = decodeRosterEntry(body);
    if (entry.certificate.length === 0) return undefined;
    return encodeRosterEntry({ ...entry, certificate: encodeCertificate(decodeCertificate(entry.certificate)) });
  }),
  decoder("roster", (body, _, { roster }) => encodeRoster(decodeRoster(body, roster))),
  decoder("shares", (body, _, { roster }) => encodeShares(decodeShares(body, roster - 1))),
  decoder("sharesForward", (body, _, { roster }) => encodeSharesForward(decodeSharesForward(body, roster))),
  decoder("sharesForward", (body, _, { roster }) => {
    const { sharing, boxes } = decodeSharesForward(body, roster);
    return encodeSharesForward({ sharing: encodeBitmap(decodeBitmap(sharing, roster), roster), boxes });
  }),
  decoder("survivors", (body, _, { roster }) => encodeBitmap(decodeBitmap(body, roster), roster)),
  decoder("ack", (body) => decodeSignature(body)),
  decoder("acks", (body, _, { roster }) => encodeAcks(decodeAcks(body, roster))),
  decoder("unmask", (body, _, { roster }) => encodeUnmask(decodeUnmask(body, roster - 1))),
  decoder("done", (body) => encodeDone(decodeDone(body))),
  framed("challenge", (body, { binding }) => encodeChallenge(decodeChallenge(binding, body))),
  framed("authenticate", (body, { binding }) => encodeAuthentication(binding, decodeAuthentication(body))),
  framed("welcome", (body, { binding }) => encodeWelcome(binding, decodeWelcome(body))),
  framed("refused", (body, { binding }) => encodeRefused(binding, decodeRefused(body))),
  framed("pace", (body, { binding }) => encodePace(binding, decodePace(body))),
];

export function groupByType(decoders: readonly BodyDecoder[]): ReadonlyMap<number, readonly BodyDecoder[]> {
  const groups = new Map<number, BodyDecoder[]>();
  for (const entry of decoders) {
    const type = FRAME_TYPES[entry.type];
    groups.set(type, [...(groups.get(type) ?? []), entry]);
  }
  return groups;
}
