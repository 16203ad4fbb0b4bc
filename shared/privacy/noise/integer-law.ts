import type { BoundedWeights, WeightsTo } from "./bounded-weights.ts";
import type { NoiseWords } from "./noise-words.ts";

/**
 * A symmetric law of whole numbers that can be drawn from exactly, and fast.
 *
 * A draw is the inverse of the distribution function at a uniform number, of which only as many bits are drawn as decide:
 * 32 nearly always, 64 once in about 2^32 / (values that are likely) times, and more, against bounds that are computed
 * anew as tight as they have to be, once in 2^64. So the law is the ideal one, not one that is near it; no floating-point
 * number is involved (Mironov 2012). How long a draw takes tells, very rarely, that a value lay near a bound.
 */
export interface IntegerLaw {
  /** Fills `values` with independent draws. */
  draw(values: Int32Array, words: NoiseWords): void;
  /** Adds independent draws, mod 2^32. */
  addTo(values: Int32Array, words: NoiseWords): void;
  /** P[X = k], correctly rounded but for a unit or two; for tests and reports. */
  probability(k: number): number;
}

/**
 * @param weightsTo the law's weights, to any precision
 * @throws {RangeError} where the law reaches beyond what a table can hold
 */
export function integerLaw(weightsTo: WeightsTo): IntegerLaw {
  const table = createTable(weightsTo);

  function addTo(values: Int32Array, words: NoiseWords): void {
    const source = createSource(words, values.length);
    for (let i = 0; i < values.length; i++) {
      const magnitude = drawMagnitude(table, source, weightsTo);
      // A bit is drawn for 0 as well: what is drawn does not depend on what was drawn before.
      values[i] = (values[i] + (source.bit() === 0 ? magnitude : -magnitude)) | 0;
    }
  }

  return {
    addTo,
    draw(values, words) {
      values.fill(0);
      addTo(values, words);
    },
    probability(k) {
      const magnitude = Math.abs(k);
      const { lower, total } = table.weights;
      if (magnitude >= lower.length) return 0;
      return Number((lower[magnitude] << 1000n) / total) * 2 ** -1000;
    },
  };
}

interface Table {
  /** The first 32 bits of P[|X| ≤ k], and the 32 behind them, by k. */
  readonly high: Uint32Array;
  readonly low: Uint32Array;
  /** By a word's first 16 bits, the first k whose `high` is not smaller. */
  readonly guide: Uint32Array;
  readonly weights: { readonly lower: readonly bigint[]; readonly total: bigint };
}

const MOST_VALUES = 2 ** 21;

function createTable(weightsTo: WeightsTo): Table {
  for (let precision = 128; ; precision += 64) {
    const weights = weightsTo(precision);
    if (weights.lower.length > MOST_VALUES) throw new RangeError("the law is too wide for a table: use a coarser grid");
    const bounds = distribution(weights, 64n);
    // Wherever bounds differ in a bit that the table keeps, they have to be tighter.
    if (bounds.lower.every((value, k) => value === bounds.upper[k])) return tableOf(bounds.lower, weights);
  }
}

function tableOf(values: readonly bigint[], weights: BoundedWeights): Table {
  const high = Uint32Array.from(values, (value) => Number(value >> 32n));
  const low = Uint32Array.from(values, (value) => Number(value & 0xffff_ffffn));
  const guide = new Uint32Array(2 ** 16);
  let k = 0;
  for (let start = 0; start < guide.length; start++) {
    while (k < high.length && high[k] < start * 2 ** 16) k++;
    guide[start] = k;
  }
  const total = weights.lower.reduce((sum, weight, at) => sum + (at === 0 ? weight : 2n * weight), 0n);
  return { high, low, guide, weights: { lower: weights.lower, total } };
}

/** ⌊2^bits · P[|X| ≤ k]⌋ from below and from above. 1 is never reached: something is left beyond every k. */
function distribution(
  { lower, upper, tail }: BoundedWeights,
  bits: bigint,
): { readonly lower: readonly bigint[]; readonly upper: readonly bigint[] } {
  const both = (weight: bigint, k: number): bigint => (k === 0 ? weight : 2n * weight);
  const least = lower.reduce((sum, weight, k) => sum + both(weight, k), 0n);
  const most = upper.reduce((sum, weight, k) => sum + both(weight, k), 2n * tail);
  let from = 0n;
  let to = 0n;
  const bounds = { lower: new Array<bigint>(lower.length), upper: new Array<bigint>(lower.length) };
  const largest = (1n << bits) - 1n;
  for (let k = 0; k < lower.length; k++) {
    from += both(lower[k], k);
    to += both(upper[k], k);
    const above = (to << bits) / least;
    bounds.lower[k] = (from << bits) / most;
    bounds.upper[k] = above > largest ? largest : above;
  }
  return bounds;
}

interface Source {
  word(): number;
  bit(): number;
}

/** The k with P[|X| ≤ k − 1] ≤ u < P[|X| ≤ k], u being the words that are drawn, one after another. */
function drawMagnitude({ high, low, guide }: Table, source: Source, weightsTo: WeightsTo): number {
  const first = source.word();
  let k = guide[first >>> 16];
  while (k < high.length && high[k] < first) k++;
  if (k < high.length && high[k] !== first) return k;
  const second = source.word();
  while (k < high.length && high[k] === first && low[k] < second) k++;
  if (k < high.length && (high[k] !== first || low[k] !== second)) return k;
  return drawOn((BigInt(first) << 32n) | BigInt(second), source, weightsTo);
}

/** Goes on where 64 bits do not decide, 64 more at a time. */
function drawOn(drawn: bigint, source: Source, weightsTo: WeightsTo): number {
  let u = drawn;
  for (let bits = 128; ; bits += 64) {
    u = (u << 64n) | (BigInt(source.word()) << 32n) | BigInt(source.word());
    const { lower, upper } = distribution(weightsTo(bits + 64), BigInt(bits));
    const k = lower.findIndex((value) => value > u);
    // u < ⌊bound⌋ is below the bound; u > ⌊bound⌋ is above it.
    if (k !== -1 && (k === 0 || upper[k - 1] < u)) return k;
  }
}

/** Words a block at a time, and single bits from words of their own. */
function createSource(words: NoiseWords, draws: number): Source {
  const block = new Uint32Array(Math.max(64, Math.min(BLOCK, draws)));
  let at = block.length;
  let bits = 0;
  let left = 0;

  function word(): number {
    if (at === block.length) {
      words.fill(block);
      at = 0;
    }
    return block[at++];
  }

  return {
    word,
    bit() {
      if (left === 0) {
        bits = word();
        left = 32;
      }
      left--;
      const bit = bits & 1;
      bits >>>= 1;
      return bit;
    },
  };
}

const BLOCK = 16_384;
