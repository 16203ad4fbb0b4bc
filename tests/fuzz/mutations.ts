import { concatBytes, equalBytes } from "../../shared/crypto/bytes.ts";
import { FRAME_TYPES, HEADER_BYTES } from "../../shared/protocol/frame.ts";
import type { SeededRandom } from "../../shared/random/seeded-random.ts";
import { editField, pick, randomBytes } from "./field-edits.ts";

/** What a mutation may draw on besides the frame itself. */
export interface Material {
  /** Frames of the same session, of any type and direction. */
  readonly session: readonly Uint8Array[];
  /** Frames of other sessions, and of connections. */
  readonly foreign: readonly Uint8Array[];
  /** Mends what a cheat could mend after a change of the body: bindings and signatures. */
  repair?(frame: Uint8Array): Uint8Array;
}

/** What is sent in place of one frame: none, one or several. */
export interface Mutant {
  readonly how: string;
  readonly frames: readonly Uint8Array[];
}

type FrameMutation = (random: SeededRandom, frame: Uint8Array, material: Material) => Uint8Array | undefined;

/** Changes a frame, or what comes before and after it. */
export function mutate(random: SeededRandom, frame: Uint8Array, material: Material): Mutant {
  if (random.below(8) === 0) return sequence(random, frame, material);
  const { how, changed } = mutateFrame(random, frame, material);
  if (random.below(100) > 0 || changed.length > LARGE) return { how, frames: [changed] };
  return { how: "sequence: the same many times", frames: new Array<Uint8Array>(FLOOD).fill(changed) };
}

const FLOOD = 24;
/** Of a frame, in bytes. */
const LARGE = 100_000;

/** Changes a frame: it never stays as it was. */
export function mutateFrame(
  random: SeededRandom,
  frame: Uint8Array,
  material: Material,
): { readonly how: string; readonly changed: Uint8Array } {
  const how = pick(random, NAMES);
  let changed = MUTATIONS[how](random, frame, material) ?? flipBits(random, frame);
  if (material.repair !== undefined && how.startsWith("body") && random.below(3) > 0) {
    changed = material.repair(changed);
  }
  // Sometimes two changes at once.
  if (random.below(6) === 0) changed = MUTATIONS[pick(random, NAMES)](random, changed, material) ?? changed;
  return equalBytes(changed, frame) ? { how: "bytes: flip", changed: flipBits(random, frame) } : { how, changed };
}

/** Frames dropped, repeated, in another order, or of another place and session. */
function sequence(random: SeededRandom, frame: Uint8Array, { session, foreign }: Material): Mutant {
  const other = pick(random, session);
  switch (random.below(8)) {
    case 0:
      return { how: "sequence: dropped", frames: [] };
    case 1:
      return { how: "sequence: repeated", frames: [frame, frame] };
    case 2:
      return { how: "sequence: swapped", frames: [other, frame] };
    case 3:
      return { how: "sequence: another of the session", frames: [other] };
    case 4:
      return { how: "sequence: followed by another", frames: [frame, other] };
    case 5:
      return { how: "sequence: of another session", frames: [pick(random, foreign)] };
    case 6:
      return { how: "sequence: in pieces", frames: pieces(random, frame) };
    default:
      return { how: "sequence: after one of another session", frames: [pick(random, foreign), frame] };
  }
}

/** The body in several frames, numbered as those of an upload are. */
function pieces(random: SeededRandom, frame: Uint8Array): Uint8Array[] {
  const body = frame.subarray(HEADER_BYTES);
  const count = 2 + random.below(frame.length > LARGE ? 3 : 20);
  const cuts = [0, ...Array.from({ length: count - 1 }, () => random.below(body.length + 1)), body.length];
  cuts.sort((a, b) => a - b);
  return Array.from({ length: count }, (_, i) => {
    const piece = withBody(frame, () => body.subarray(cuts[i], cuts[i + 1])) ?? frame;
    return withU16(piece, OFFSET.sequence, i);
  });
}

const OFFSET = {
  version: 4,
  type: 5,
  suite: 6,
  flags: 7,
  roundId: 8,
  binding: 24,
  sender: 56,
  sequence: 58,
  length: 60,
};

const MUTATIONS: Readonly<Record<string, FrameMutation>> = {
  "bytes: flip": (random, frame) => flipBits(random, frame),
  "bytes: set": (random, frame) => {
    const changed = frame.slice();
    const start = random.below(Math.max(1, frame.length));
    const value = pick(random, [0, 0xff, 0x7f, 0x80]);
    return changed.fill(value, start, start + 1 + random.below(16));
  },
  "bytes: random": (random, frame) => {
    const changed = frame.slice();
    const noise = randomBytes(random, 1 + random.below(32));
    const start = random.below(Math.max(1, changed.length - noise.length));
    changed.set(noise.subarray(0, changed.length - start), start);
    return changed;
  },
  "bytes: cut": (random, frame) => frame.slice(0, random.below(Math.max(1, frame.length))),
  "bytes: extended": (random, frame) => concatBytes(frame, randomBytes(random, extension(random))),
  "bytes: inserted": (random, frame) => {
    const at = random.below(frame.length + 1);
    return concatBytes(frame.subarray(0, at), randomBytes(random, 1 + random.below(8)), frame.subarray(at));
  },
  "bytes: deleted": (random, frame) => {
    const at = random.below(Math.max(1, frame.length));
    return concatBytes(frame.subarray(0, at), frame.subarray(at + 1 + random.below(8)));
  },
  "bytes: noise only": (random) => randomBytes(random, random.below(200)),
  "header: type": (random, frame) => withByte(frame, OFFSET.type, pick(random, TYPES)),
  "header: version, suite, flags": (random, frame) =>
    withByte(frame, pick(random, [OFFSET.version, OFFSET.suite, OFFSET.flags]), pick(random, [0, 1, 2, 255])),
  "header: round": (random, frame, material) => withField(random, frame, OFFSET.roundId, 16, material),
  "header: binding": (random, frame, material) => withField(random, frame, OFFSET.binding, 32, material),
  "header: sender": (random, frame) => withU16(frame, OFFSET.sender, pick(random, U16)),
  "header: sequence": (random, frame) => withU16(frame, OFFSET.sequence, pick(random, U16)),
  "header: length": (random, frame) => {
    const changed = frame.slice();
    if (changed.length < HEADER_BYTES) return undefined;
    const wrong = [0, 1, changed.length, changed.length - HEADER_BYTES - 1, 0x7fffffff, 0x80000000, 0xffffffff];
    new DataView(changed.buffer).setUint32(OFFSET.length, Math.max(0, pick(random, wrong)));
    return changed;
  },
  "body: cut": (random, frame) => withBody(frame, (body) => body.subarray(0, random.below(Math.max(1, body.length)))),
  "body: extended": (random, frame) =>
    withBody(frame, (body) => concatBytes(body, randomBytes(random, extension(random)))),
  "body: flip": (random, frame) => withBody(frame, (body) => flipBits(random, body)),
  "body: field": field,
  "body: two fields": (random, frame) => {
    const once = field(random, frame);
    return once && (field(random, once) ?? once);
  },
  "splice: header and body": (random, frame, { session, foreign }) =>
    withBody(frame, () => pick(random, random.below(2) === 0 ? session : foreign).subarray(HEADER_BYTES)),
  "splice: halves": (random, frame, { session, foreign }) => {
    const other = pick(random, random.below(2) === 0 ? session : foreign);
    const at = random.below(Math.min(frame.length, other.length) + 1);
    const spliced = concatBytes(frame.subarray(0, at), other.subarray(at));
    return random.below(2) === 0 ? spliced : withBody(spliced, (body) => body);
  },
};
/** A change of one field goes deepest, so it is drawn more often. */
const NAMES: readonly string[] = [...Object.keys(MUTATIONS), ...new Array<string>(6).fill("body: field")];
const TYPES: readonly number[] = [...Object.values(FRAME_TYPES), 0, 9, 27, 38, 128, 255];
const U16 = [0, 1, 2, 3, 4, 5, 6, 7, 255, 256, 0x7fff, 0xfffe, 0xffff];

function field(random: SeededRandom, frame: Uint8Array): Uint8Array | undefined {
  if (frame.length < HEADER_BYTES) return undefined;
  const body = editField(random, frame[OFFSET.type], frame.slice(HEADER_BYTES));
  return body && withBody(frame, () => body);
}

/** The frame with another body, of which the header says the length. */
function withBody(frame: Uint8Array, change: (body: Uint8Array) => Uint8Array): Uint8Array | undefined {
  if (frame.length < HEADER_BYTES) return undefined;
  const body = change(frame.subarray(HEADER_BYTES));
  const changed = concatBytes(frame.subarray(0, HEADER_BYTES), body);
  new DataView(changed.buffer).setUint32(OFFSET.length, body.length);
  return changed;
}

function withByte(frame: Uint8Array, at: number, value: number): Uint8Array {
  const changed = frame.slice();
  if (at < changed.length) changed[at] = value;
  return changed;
}

function withU16(frame: Uint8Array, at: number, value: number): Uint8Array {
  return withByte(withByte(frame, at, value >> 8), at + 1, value & 0xff);
}

/** An identifier: of another frame, zero, all ones, or one off. */
function withField(
  random: SeededRandom,
  frame: Uint8Array,
  at: number,
  length: number,
  { session, foreign }: Material,
): Uint8Array | undefined {
  if (frame.length < HEADER_BYTES) return undefined;
  const changed = frame.slice();
  const other = pick(random, random.below(2) === 0 ? session : foreign);
  switch (random.below(4)) {
    case 0:
      return changed.fill(pick(random, [0, 0xff]), at, at + length);
    case 1:
      changed[at + length - 1]++;
      return changed;
    default:
      changed.set(other.subarray(at, at + length), at);
      return changed;
  }
}

function flipBits(random: SeededRandom, bytes: Uint8Array): Uint8Array {
  if (bytes.length === 0) return Uint8Array.of(random.below(256));
  const changed = bytes.slice();
  // Odd, so that not all of them can undo each other.
  for (let times = 1 + 2 * random.below(3); times > 0; times--) {
    changed[random.below(changed.length)] ^= 1 << random.below(8);
  }
  return changed;
}

function extension(random: SeededRandom): number {
  return random.below(50) === 0 ? 70_000 : 1 + random.below(100);
}
