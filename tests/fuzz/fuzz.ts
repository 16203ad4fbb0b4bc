import { toHex } from "../../shared/crypto/bytes.ts";
import { seededRandom } from "../../shared/random/seeded-random.ts";
import { BODY_DECODERS, type BodyDecoder } from "./decoders.ts";
import { createSessions } from "./sessions.ts";
import { PROGRAMS, type Programs } from "./setting.ts";
import { createTally, type Tally } from "./tally.ts";

export interface FuzzOptions {
  /** Mutated frames that somebody has to look at. */
  readonly frames: number;
  readonly seed: number;
  /** Only this session: the one that failed. */
  readonly session?: number;
  /** What is fuzzed; a test plants a bug. */
  readonly programs?: Partial<Programs>;
  readonly decoders?: readonly BodyDecoder[];
  /** Before each session. */
  onSession?(session: number, tally: Tally): void;
}

export interface FuzzResult {
  readonly sessions: number;
  readonly tally: Tally;
}

/** A session that found something, and what is needed to play it again. */
export class FuzzFailure extends Error {
  override readonly name = "FuzzFailure";
}

/**
 * Plays sessions full of mutated frames until enough of them were looked at. A session depends on the seed and on its
 * number, and on nothing that was played before it.
 *
 * @throws {FuzzFailure} as soon as something happens that must not.
 */
export async function fuzz(options: FuzzOptions): Promise<FuzzResult> {
  const { frames, seed, session: only, onSession } = options;
  const tally = createTally();
  const play = createSessions({ ...PROGRAMS, ...options.programs }, options.decoders ?? BODY_DECODERS);
  let sessions = 0;
  while (only === undefined ? tally.frames < frames : sessions === 0) {
    const session = only ?? sessions;
    onSession?.(session, tally);
    try {
      await play(seededRandom(seed, "fuzz", session), tally);
    } catch (error) {
      throw failure(seed, session, tally, error);
    }
    sessions++;
  }
  return { sessions, tally };
}

function failure(seed: number, session: number, { about }: Tally, error: unknown): FuzzFailure {
  const lines = [`seed ${seed}, session ${session}: ${error instanceof Error ? error.message : String(error)}`];
  if (about !== undefined) {
    const { reader, how, frame } = about;
    const shown = frame.length > MOST_SHOWN ? ", which begins with" : "";
    lines.push(`The last frame, for the ${reader} (${how}), has ${frame.length} bytes${shown}:`);
    lines.push(toHex(frame.subarray(0, MOST_SHOWN)));
  }
  lines.push(`Again: npm run fuzz -- --seed ${seed} --session ${session}`);
  return new FuzzFailure(lines.join("\n"), { cause: error });
}

const MOST_SHOWN = 512;
