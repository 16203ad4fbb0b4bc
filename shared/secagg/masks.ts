import type { CryptoProvider } from "../crypto/provider.ts";
import type { RingAccumulator } from "./ring-accumulator.ts";

/**
 * Adds or subtracts the mask PRG(key): suite 1's AES-256-CTR stream with the counter from zero, read as little-endian
 * lanes of the accumulator's width (Bonawitz et al. 2017, section 4; the lanes are uniform, so their low b bits are
 * uniform in Z_{2^b}).
 *
 * A key gives one mask for one vector. Everything that must tell masks apart (session, pair, vector, lane width) is in
 * the key schedule's label, and nothing is in the counter: 2^128 blocks never run out.
 *
 * An accumulator that holds only a range of the vector gives the range's first coordinate, for the stream can be entered
 * at any block; that coordinate must begin a block of 16 bytes.
 *
 * @throws {RangeError} on a key that is not 32 bytes, or a range that does not begin a block.
 */
export function addMask(
  accumulator: RingAccumulator,
  provider: Pick<CryptoProvider, "keystream">,
  key: Uint8Array,
  sign: 1 | -1,
  firstCoordinate = 0,
): void {
  if (key.length !== MASK_KEY_BYTES) {
    throw new RangeError(`a mask key has ${MASK_KEY_BYTES} bytes, not ${key.length}`);
  }
  const block = (firstCoordinate * accumulator.laneBytes) / AES_BLOCK_BYTES;
  if (!Number.isInteger(block) || block < 0) {
    throw new RangeError(`coordinate ${firstCoordinate} does not begin a block of the mask stream`);
  }
  accumulator.addKeystream(provider.keystream(key, block), sign);
}

/** The sign of the mask that device `own` shares with `peer`: the higher index adds it, the lower one subtracts it. */
export function pairMaskSign(own: number, peer: number): 1 | -1 {
  if (own === peer) throw new RangeError("a device shares no mask with itself");
  return own > peer ? 1 : -1;
}

/** 256 bits of seed from end to end. */
export const MASK_KEY_BYTES = 32;

const AES_BLOCK_BYTES = 16;
