import { createReader, createWriter, EncodingError, type Reader } from "../../protocol/encoding.ts";
import { decodeRosterEntry, encodeRosterEntry, type RosterEntry } from "./roster-entry.ts";

/**
 * The bodies of the exchanges (`docs/protocol.md`). Lengths that depend on the graph are parameters of the decoders:
 * both sides know them, and any other length is refused.
 */

/** b share 32, s share 32, tag 16. */
export const BOX_BYTES = 80;

/** ROSTER, to every device: the full list, and the seed of the ring under the finder (zero under the other rules). */
export interface RosterMessage {
  /** By index: ascending by idPk. */
  readonly entries: readonly RosterEntry[];
  /** 32 bytes. */
  readonly graphSeed: Uint8Array;
}

export function encodeRoster({ entries, graphSeed }: RosterMessage): Uint8Array {
  return createWriter()
    .fixed(graphSeed, 32)
    .list(entries, (writer, entry) => writer.bytes(encodeRosterEntry(entry)))
    .finish();
}

export function decodeRoster(body: Uint8Array, mostDevices: number): RosterMessage {
  return whole(body, (reader) => {
    const graphSeed = reader.fixed(32);
    const entries = reader.list(mostDevices, (item) => decodeRosterEntry(item.bytes()));
    return { entries, graphSeed };
  });
}

/** SHARES, to the coordinator: one box for each neighbour, ascending; the commitment to b_u; Sig("R1", …). */
export interface SharesMessage {
  /** k · 80 bytes. */
  readonly boxes: Uint8Array;
  /** 32 bytes. */
  readonly commitment: Uint8Array;
  /** 64 bytes. */
  readonly signature: Uint8Array;
}

export function encodeShares({ boxes, commitment, signature }: SharesMessage): Uint8Array {
  return createWriter().fixed(boxes, boxes.length).fixed(commitment, 32).fixed(signature, 64).finish();
}

export function decodeShares(body: Uint8Array, degree: number): SharesMessage {
  return whole(body, (reader) => ({
    boxes: reader.fixed(degree * BOX_BYTES),
    commitment: reader.fixed(32),
    signature: reader.fixed(64),
  }));
}

/** SHARES_FWD, to one device: U2, and the boxes that its neighbours in U2 sealed for it, ascending by sender. */
export interface SharesForwardMessage {
  /** U2, ⌈n/8⌉ bytes. */
  readonly sharing: Uint8Array;
  /** A multiple of 80 bytes. */
  readonly boxes: Uint8Array;
}

export function encodeSharesForward({ sharing, boxes }: SharesForwardMessage): Uint8Array {
  return createWriter().fixed(sharing, sharing.length).fixed(boxes, boxes.length).finish();
}

export function decodeSharesForward(body: Uint8Array, rosterSize: number): SharesForwardMessage {
  return whole(body, (reader) => {
    const bitmapBytes = Math.ceil(rosterSize / 8);
    const sharing = reader.fixed(bitmapBytes);
    return { sharing, boxes: reader.fixed(body.length - bitmapBytes) };
  });
}

/** ACKS, to one device: other survivors' signatures over (U2, U3), with their indices. */
export interface AcksMessage {
  readonly confirmations: readonly { readonly index: number; readonly signature: Uint8Array }[];
}

export function encodeAcks({ confirmations }: AcksMessage): Uint8Array {
  return createWriter()
    .list(confirmations, (writer, { index, signature }) => writer.u16(index).fixed(signature, 64))
    .finish();
}

export function decodeAcks(body: Uint8Array, mostSigners: number): AcksMessage {
  return whole(body, (reader) => ({
    confirmations: reader.list(mostSigners, (item) => ({ index: item.u16(), signature: item.fixed(64) })),
  }));
}

/** The kind of one 33-byte share in UNMASK. */
export const SHARE_KINDS = {
  /** this neighbour's box did not open */
  none: 0,
  /** of s_v: the neighbour dropped out */
  maskKey: 1,
  /** of b_v: the neighbour survived */
  seed: 2,
} as const;
export type ShareKind = keyof typeof SHARE_KINDS;

export interface UnmaskShare {
  readonly kind: ShareKind;
  /** 32 bytes; zero for `none`. */
  readonly value: Uint8Array;
}

/** UNMASK, to the coordinator: exactly one share for each neighbour in U2, ascending. */
export function encodeUnmask(shares: readonly UnmaskShare[]): Uint8Array {
  const writer = createWriter();
  for (const { kind, value } of shares) writer.u8(SHARE_KINDS[kind]).fixed(value, 32);
  return writer.finish();
}

export function decodeUnmask(body: Uint8Array, count: number): UnmaskShare[] {
  return whole(body, (reader) =>
    Array.from({ length: count }, () => {
      const code = reader.u8();
      const kind = KINDS.find((name) => SHARE_KINDS[name] === code);
      if (kind === undefined) throw new EncodingError(`there is no share of kind ${code}`);
      const value = reader.fixed(32);
      if (kind === "none" && value.some((byte) => byte !== 0)) throw new EncodingError("a share of no kind");
      return { kind, value };
    }),
  );
}

const KINDS: readonly ShareKind[] = ["none", "maskKey", "seed"];

/** DONE, to every survivor that is still there. */
export interface DoneMessage {
  /** 32 bytes. */
  readonly resultHash: Uint8Array;
  /** |U3| */
  readonly survivors: number;
}

export function encodeDone({ resultHash, survivors }: DoneMessage): Uint8Array {
  return createWriter().fixed(resultHash, 32).u16(survivors).finish();
}

export function decodeDone(body: Uint8Array): DoneMessage {
  return whole(body, (reader) => ({ resultHash: reader.fixed(32), survivors: reader.u16() }));
}

/** SURVIVORS (U3) and ACK (the signature) are one field each. */
export function decodeSignature(body: Uint8Array): Uint8Array {
  return whole(body, (reader) => reader.fixed(64));
}

function whole<T>(body: Uint8Array, read: (reader: Reader) => T): T {
  const reader = createReader(body);
  const value = read(reader);
  reader.end();
  return value;
}
