import { equalBytes } from "../../shared/crypto/bytes.ts";
import { decodeFrame, encodeFrame, FrameError } from "../../shared/protocol/frame.ts";
import type { SeededRandom } from "../../shared/random/seeded-random.ts";
import type { BodyDecoder, BodyShape } from "./decoders.ts";
import { pick } from "./field-edits.ts";
import { type Material, mutateFrame } from "./mutations.ts";
import type { Tally } from "./tally.ts";
import { must, type Reaction, TAKEN, Violation } from "./target.ts";

/** Frames of one kind of session, and what its decoders have to know. */
export interface Corpus {
  readonly frames: readonly Uint8Array[];
  readonly shape: BodyShape;
}

const FRAMES_A_SESSION = 48;

/** Gives mutants to the frame's decoder, and what passes it to the bodies': those of its type, sometimes another's. */
export function attackDecoders(
  random: SeededRandom,
  tally: Tally,
  { frames: corpus, shape }: Corpus,
  decoders: ReadonlyMap<number, readonly BodyDecoder[]>,
  material: Material,
): void {
  const all = [...decoders.values()].flat();
  for (let left = FRAMES_A_SESSION; left > 0; left--) {
    const original = pick(random, corpus);
    const { how, changed: frame } = mutateFrame(random, original, material);
    tally.about = { reader: "decoder", how, frame };
    const others = random.below(8) === 0 ? [pick(random, all)] : undefined;
    tally.count(
      "decoder",
      how,
      decode(frame, shape, (type) => others ?? decoders.get(type) ?? []),
    );
  }
}

function decode(frame: Uint8Array, shape: BodyShape, decodersOf: (type: number) => readonly BodyDecoder[]): Reaction {
  let decoded: ReturnType<typeof decodeFrame>;
  try {
    decoded = decodeFrame(frame);
  } catch (error) {
    if (error instanceof FrameError) return { kind: "refused", reason: "FrameError" };
    throw unexpected("decodeFrame", error);
  }
  const { header, body } = decoded;
  must(equalBytes(encodeFrame(header, body), frame), "a frame has two encodings");
  let reaction: Reaction = TAKEN;
  for (const decoder of decodersOf(header.type)) {
    try {
      const again = decoder.again(body, header, shape);
      must(again === undefined || equalBytes(again, body), `a body of ${decoder.type} has two encodings`);
    } catch (error) {
      if (!(error instanceof decoder.error)) throw unexpected(`the decoder of ${decoder.type}`, error);
      reaction = { kind: "refused", reason: `${error.name} in a body` };
    }
  }
  return reaction;
}

function unexpected(call: string, error: unknown): Violation {
  if (error instanceof Violation) return error;
  const what = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return new Violation(`${call} threw ${what}`, { cause: error });
}
