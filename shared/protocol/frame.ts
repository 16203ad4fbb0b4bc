import { concatBytes } from "../crypto/bytes.ts";
import { createReader, createWriter, EncodingError } from "./encoding.ts";

/** The type of every frame. The number is the wire value: append, never renumber. */
export const FRAME_TYPES = {
  /** coordinator → device: the round's agreement and task */
  configure: 1,
  /** coordinator → device: a piece of the model */
  model: 2,
  /** device → coordinator: it does not take part, with a code */
  decline: 3,
  /** coordinator → device: the round goes on without it, or ended */
  released: 4,
  /** device → coordinator: an unmasked update, in the insecure plaintext mode only */
  plainUpdate: 5,
  /** device → coordinator: the model arrived and the agreement is acceptable; training starts */
  accept: 6,
  /** device → coordinator: training is finished */
  trained: 7,
  /** coordinator → device: everyone has trained, the exchanges start */
  begin: 8,
  advertise: 16,
  roster: 17,
  shares: 18,
  sharesForward: 19,
  masked: 20,
  survivors: 21,
  ack: 22,
  acks: 23,
  unmask: 24,
  abort: 25,
  done: 26,
  /** coordinator → device: prove who you are; the first frame of a connection */
  challenge: 32,
  /** device → coordinator: its key, its certificate, its signature on the challenge */
  authenticate: 33,
  /** coordinator → device: it is let in, under a name */
  welcome: 34,
  /** coordinator → device: it is not let in, or no longer, with a reason; the connection closes */
  refused: 35,
  /** device → coordinator: eligible, and waiting to be invited */
  checkIn: 36,
  /** coordinator → device: come back within a window of time */
  pace: 37,
} as const;
export type FrameTypeName = keyof typeof FRAME_TYPES;
export type FrameType = (typeof FRAME_TYPES)[FrameTypeName];

export const FRAME_VERSION = 2;
export const SUITE = 1;
export const HEADER_BYTES = 64;
/** `sender` of the coordinator, and of a device before the roster gives it an index. */
export const NO_INDEX = 0xffff;

/** "MRMN" */
const MAGIC = Uint8Array.of(0x4d, 0x52, 0x4d, 0x4e);

export interface FrameHeader {
  readonly type: FrameType;
  /** Zero: reserved. */
  readonly flags: number;
  /** 16 bytes. */
  readonly roundId: Uint8Array;
  /** 32 bytes: ctx in frames before the roster is known to both sides and in ROSTER, sid in all later ones. */
  readonly binding: Uint8Array;
  /** Index in the roster, or {@link NO_INDEX}. */
  readonly sender: number;
  /** Counts the frames of one message, from 0: the chunk's number in an upload, else 0. */
  readonly sequence: number;
}

/** Bytes that are not a frame of this version and suite, or a body that is not what its type says. */
export class FrameError extends EncodingError {
  override readonly name = "FrameError";
}

/**
 * A frame: 64 bytes of header, then the body.
 *
 * ```
 *  0 magic 4 | 4 version 1 | 5 type 1 | 6 suite 1 | 7 flags 1 | 8 roundId 16 | 24 binding 32
 * 56 sender 2 | 58 sequence 2 | 60 body length 4 | 64 body
 * ```
 */
export function encodeFrame(header: FrameHeader, body: Uint8Array): Uint8Array {
  const head = createWriter()
    .fixed(MAGIC, 4)
    .u8(FRAME_VERSION)
    .u8(header.type)
    .u8(SUITE)
    .u8(header.flags)
    .fixed(header.roundId, 16)
    .fixed(header.binding, 32)
    .u16(header.sender)
    .u16(header.sequence)
    .u32(body.length)
    .finish();
  return concatBytes(head, body);
}

/**
 * The body is a view into `bytes`.
 * @throws {FrameError}
 */
export function decodeFrame(bytes: Uint8Array): { readonly header: FrameHeader; readonly body: Uint8Array } {
  if (bytes.length < HEADER_BYTES)
    throw new FrameError(`a frame has at least ${HEADER_BYTES} bytes, not ${bytes.length}`);
  const reader = createReader(bytes.subarray(0, HEADER_BYTES));
  if (!reader.fixed(4).every((byte, i) => byte === MAGIC[i])) throw new FrameError("not a frame of this protocol");
  const version = reader.u8();
  if (version !== FRAME_VERSION) {
    const older = version < FRAME_VERSION ? "the other side" : "this side";
    throw new FrameError(`protocol version ${version}, and this side speaks ${FRAME_VERSION}: ${older} is older`);
  }
  const type = reader.u8();
  if (!isFrameType(type)) throw new FrameError(`there is no frame type ${type}`);
  const suite = reader.u8();
  if (suite !== SUITE) throw new FrameError(`suite ${suite} is not spoken here`);
  const flags = reader.u8();
  if (flags !== 0) throw new FrameError(`the reserved flags are ${flags}`);
  const roundId = reader.fixed(16);
  const binding = reader.fixed(32);
  const sender = reader.u16();
  const sequence = reader.u16();
  const length = reader.u32();
  if (length !== bytes.length - HEADER_BYTES) {
    throw new FrameError(`a body of ${length} bytes is announced, and ${bytes.length - HEADER_BYTES} are there`);
  }
  return { header: { type, flags, roundId, binding, sender, sequence }, body: bytes.subarray(HEADER_BYTES) };
}

const TYPE_OFFSET = 5;
const KNOWN_TYPES: ReadonlySet<number> = new Set(Object.values(FRAME_TYPES));

function isFrameType(type: number): type is FrameType {
  return KNOWN_TYPES.has(type);
}

/** The type of a well-formed frame, without reading the rest. */
export function frameType(frame: Uint8Array): number | undefined {
  return frame.length < HEADER_BYTES ? undefined : frame[TYPE_OFFSET];
}
