/**
 * The natural logarithm and the exponential from additions, multiplications and divisions alone. IEEE 754 fixes the
 * result of those to the bit, whereas ECMAScript leaves `Math.log` and `Math.exp` to the implementation: experiments
 * that call these functions draw the same numbers in every engine.
 */

// ln 2 in two parts: the first has enough trailing zero bits that its product with an exponent is exact (fdlibm).
const LN2_HIGH = 0.6931471803691238;
const LN2_LOW = 1.9082149292705877e-10;

const scratch = new DataView(new ArrayBuffer(8));

/**
 * ln x for finite x > 0, within 2 units in the last place. −∞ for 0, NaN for negative numbers.
 *
 * x = 2^k · m with m in [√½, √2); ln m = 2 artanh(s), s = (m − 1)/(m + 1), |s| < 0.1716, by its series.
 */
export function naturalLog(x: number): number {
  if (!(x > 0)) return x === 0 ? Number.NEGATIVE_INFINITY : Number.NaN;
  if (x === Number.POSITIVE_INFINITY) return x;
  let [mantissa, exponent] = splitBinary(x);
  if (mantissa >= Math.SQRT2) {
    mantissa /= 2;
    exponent += 1;
  }
  const f = mantissa - 1;
  const s = f / (mantissa + 1);
  const square = s * s;
  let series = 0;
  for (let power = 23; power >= 3; power -= 2) series = (series + 1 / power) * square;
  // 2s = f − s·f: keeping f apart keeps the result exact where x is close to 1.
  return exponent * LN2_HIGH - (s * f - 2 * s * series - exponent * LN2_LOW - f);
}

/**
 * e^x, within 2 units in the last place where the result is a normal number; ∞ and 0 beyond the range of a double.
 *
 * x = k ln 2 + r, |r| ≤ ½ ln 2; e^r by its Taylor series.
 */
export function exponential(x: number): number {
  if (Number.isNaN(x)) return x;
  if (x > 709.782712893384) return Number.POSITIVE_INFINITY;
  if (x < -745.1332191019412) return 0;
  const k = Math.round(x / Math.LN2);
  const r = x - k * LN2_HIGH - k * LN2_LOW;
  let series = 0;
  for (let n = 14; n >= 2; n--) series = ((series + 1) * r) / n;
  const value = 1 + (r + r * series);
  // Two steps, because 2^k alone leaves the range of a double before value · 2^k does.
  const half = Math.trunc(k / 2);
  return value * powerOfTwo(half) * powerOfTwo(k - half);
}

/** 2^k for −1022 ≤ k ≤ 1023, exact. */
function powerOfTwo(k: number): number {
  scratch.setUint32(0, (k + 1023) << 20);
  scratch.setUint32(4, 0);
  return scratch.getFloat64(0);
}

/** x = mantissa · 2^exponent with mantissa in [1, 2), exact, for finite x > 0. */
function splitBinary(x: number): [mantissa: number, exponent: number] {
  const subnormal = x < 2.2250738585072014e-308;
  scratch.setFloat64(0, subnormal ? x * 2 ** 54 : x);
  const high = scratch.getUint32(0);
  const exponent = (high >>> 20) - 1023 - (subnormal ? 54 : 0);
  scratch.setUint32(0, (high & 0x000fffff) | 0x3ff00000);
  return [scratch.getFloat64(0), exponent];
}
