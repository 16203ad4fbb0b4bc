import { createReader, EncodingError, type Reader } from "./encoding.ts";
import { FrameError } from "./frame.ts";

/**
 * Reads a whole body.
 * @throws {FrameError} for anything that is not one.
 */
export function readBody<T>(body: Uint8Array, read: (reader: Reader) => T): T {
  try {
    const reader = createReader(body);
    const value = read(reader);
    reader.end();
    return value;
  } catch (error) {
    if (error instanceof FrameError || !(error instanceof EncodingError)) throw error;
    throw new FrameError(error.message);
  }
}

/**
 * A seed, which travels as a double: the name of a stream of randomness takes whole numbers only, and only those that
 * are exact.
 * @throws {FrameError}
 */
export function readSeed(reader: Reader): number {
  const seed = reader.f64();
  if (!Number.isSafeInteger(seed)) throw new FrameError("a seed that is not a whole number");
  return seed;
}
