import { CHUNK_BYTES } from "../../../shared/protocol/chunks.ts";
import { HEADER_BYTES } from "../../../shared/protocol/frame.ts";
import type { SecAggAgreement } from "../../../shared/secagg/agreement.ts";
import { CERTIFICATE_BYTES } from "../../../shared/secagg/certificates.ts";
import {
  BOX_BYTES,
  encodeAcks,
  encodeDone,
  encodeRoster,
  encodeShares,
  encodeSharesForward,
  encodeUnmask,
} from "../../../shared/secagg/messages/exchanges.ts";
import { encodeRosterEntry, type RosterEntry } from "../../../shared/secagg/messages/roster-entry.ts";
import { packedLength } from "../../../shared/secagg/ring-accumulator.ts";

/** Bytes that the messages of secure aggregation would have, frame headers included (`docs/protocol.md` section 5). */
export interface MessageSizes {
  readonly advertise: number;
  roster(devices: number): number;
  shares(degree: number): number;
  sharesForward(devices: number, boxes: number): number;
  readonly masked: number;
  survivors(devices: number): number;
  readonly ack: number;
  acks(confirmations: number): number;
  unmask(neighbours: number): number;
  readonly done: number;
}

/** Measured on messages of zeros that the protocol's own encoders make. */
export function messageSizes(agreement: SecAggAgreement): MessageSizes {
  const entry: RosterEntry = {
    idPk: zeros(32),
    certificate: zeros(agreement.level === "active-server" ? CERTIFICATE_BYTES : 0),
    channelKey: zeros(32),
    maskKey: zeros(32),
    signature: zeros(64),
  };
  const upload = packedLength(agreement.dimension, agreement.bits);
  const bitmap = (devices: number) => zeros(Math.ceil(devices / 8));
  return {
    advertise: framed(encodeRosterEntry(entry)),
    roster: (devices) => framed(encodeRoster({ entries: repeat(entry, devices), graphSeed: zeros(32) })),
    shares: (degree) =>
      framed(encodeShares({ boxes: zeros(degree * BOX_BYTES), commitment: zeros(32), signature: zeros(64) })),
    sharesForward: (devices, boxes) =>
      framed(encodeSharesForward({ sharing: bitmap(devices), boxes: zeros(boxes * BOX_BYTES) })),
    masked: upload + Math.ceil(upload / CHUNK_BYTES) * HEADER_BYTES,
    survivors: (devices) => framed(bitmap(devices)),
    ack: framed(zeros(64)),
    acks: (count) => framed(encodeAcks({ confirmations: repeat({ index: 0, signature: zeros(64) }, count) })),
    unmask: (neighbours) => framed(encodeUnmask(repeat({ kind: "none", value: zeros(32) }, neighbours))),
    done: framed(encodeDone({ resultHash: zeros(32), survivors: 0 })),
  };
}

function zeros(length: number): Uint8Array {
  return new Uint8Array(length);
}

function repeat<T>(item: T, count: number): T[] {
  return new Array<T>(count).fill(item);
}

function framed(body: Uint8Array): number {
  return HEADER_BYTES + body.length;
}

/** What is sent when nothing is masked: the update, and no exchange around it. */
export function noMessages(agreement: SecAggAgreement): MessageSizes {
  const nothing = () => 0;
  return {
    advertise: 0,
    roster: nothing,
    shares: nothing,
    sharesForward: nothing,
    masked: messageSizes(agreement).masked,
    survivors: nothing,
    ack: 0,
    acks: nothing,
    unmask: nothing,
    done: 0,
  };
}
