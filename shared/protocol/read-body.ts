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
