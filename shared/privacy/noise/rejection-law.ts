import type { IntegerLaw } from "./integer-law.ts";
import type { NoiseWords } from "./noise-words.ts";
import type { Rational } from "./rational.ts";

/**
 * The discrete Gaussian N_Z(0, σ²) by rejection from a discrete Laplace law, with nothing but whole numbers (Canonne, Kamath
 * and Steinke 2020, arXiv 2004.00010, Algorithms 1 to 3). Exact for every σ², and slower than a table: for laws that are too
 * wide for one. How long a draw takes depends on what is drawn.
 */
export function rejectionGaussian({ numerator, denominator }: Rational): Pick<IntegerLaw, "addTo"> {
  if (numerator <= 0n) throw new RangeError("a discrete Gaussian has a positive variance");
  const scale = Math.floor(Math.sqrt(Number(numerator) / Number(denominator))) + 1;
  if (scale > 2 ** 31) throw new RangeError("the noise is wider than a ring of 32 bits");
  const t = BigInt(scale);
  const bottom = 2n * numerator * denominator * t * t;

  /** Algorithm 3. */
  function draw(coins: Coins): number {
    for (;;) {
      const candidate = discreteLaplace(scale, coins);
      const distance = BigInt(Math.abs(candidate)) * t * denominator - numerator;
      if (bernoulliExponential(distance * distance, bottom, coins)) return candidate;
    }
  }

  return {
    addTo(values, words) {
      const coins = createCoins(words);
      for (let i = 0; i < values.length; i++) values[i] = (values[i] + draw(coins)) | 0;
    },
  };
}

/** Algorithm 2: P[X = x] proportional to exp(−|x| / t). */
function discreteLaplace(t: number, coins: Coins): number {
  for (;;) {
    const part = Number(coins.below(BigInt(t)));
    if (!bernoulliExponential(BigInt(part), BigInt(t), coins)) continue;
    let whole = 0;
    while (bernoulliExponential(1n, 1n, coins)) whole++;
    const magnitude = part + t * whole;
    const isNegative = coins.below(2n) === 1n;
    if (isNegative && magnitude === 0) continue;
    return isNegative ? -magnitude : magnitude;
  }
}

/** Algorithm 1: true with a chance of exp(−top / bottom). */
function bernoulliExponential(top: bigint, bottom: bigint, coins: Coins): boolean {
  let rest = top;
  for (; rest > bottom; rest -= bottom) if (!atMostOne(1n, 1n, coins)) return false;
  return atMostOne(rest, bottom, coins);
}

/** The same for fractions in [0, 1]. */
function atMostOne(top: bigint, bottom: bigint, coins: Coins): boolean {
  let k = 1n;
  while (coins.below(bottom * k) < top) k++;
  return k % 2n === 1n;
}

interface Coins {
  /** A whole number from 0 to bound − 1, each as likely. */
  below(bound: bigint): bigint;
}

const BLOCK = 4096;

function createCoins(words: NoiseWords): Coins {
  const block = new Uint32Array(BLOCK);
  let at = BLOCK;

  function word(): number {
    if (at === BLOCK) {
      words.fill(block);
      at = 0;
    }
    return block[at++];
  }

  return {
    below(bound) {
      if (bound === 1n) return 0n;
      const bits = (bound - 1n).toString(2).length;
      // Numbers of as many bits as the bound has, those beyond it drawn again: never more than every other.
      for (;;) {
        let value = 0n;
        for (let have = 0; have < bits; have += 32) value = (value << 32n) | BigInt(word());
        const surplus = BigInt((32 - (bits % 32)) % 32);
        value >>= surplus;
        if (value < bound) return value;
      }
    },
  };
}
