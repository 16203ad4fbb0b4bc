import { divide, multiply } from "./galois-field.ts";
import {
  createWeightCache,
  interpolateShares,
  requireShares,
  SECRET_LENGTH,
  type Share,
  ShareError,
  type WeightCache,
} from "./secret-sharing.ts";

export type DecodedShares =
  | {
      readonly ok: true;
      /** 32 bytes. */
      readonly secret: Uint8Array;
      /** Slots whose share differs from the polynomials in some byte, ascending. */
      readonly wrong: readonly number[];
    }
  | {
      /** In some byte position no polynomial is within ⌊(m - t)/2⌋ shares of what was received. */
      readonly ok: false;
    };

/**
 * The secret behind m shares of which, in each byte position, at most e = ⌊(m - t)/2⌋ are wrong: shares of a secret are a
 * Reed–Solomon codeword a byte (McEliece and Sarwate, CACM 1981), decoded by Gao's algorithm. Shares that never came
 * are not in the list; they are erasures, and cost one unit of m - t where a wrong share costs two.
 *
 * A holder may lie in some bytes only, so each position is decoded on its own; when different holders lie in different
 * positions, more than e of them are found in all. Within the bound the answer is the secret that was shared. Past it
 * the answer is a failure, or the secret of another polynomial that happens, or was made, to lie nearer to what came;
 * nothing in the shares can tell. So the caller checks the secret against the public key or the commitment that it
 * belongs to, and abandons on a mismatch.
 *
 * When all shares agree this costs one linear combination for the secret and one for each share past the first t.
 *
 * @throws {ShareError} as {@link combineShares}, and for fewer than `threshold` shares.
 */
export function decodeShares(
  shares: readonly Share[],
  threshold: number,
  weights: WeightCache = createWeightCache(),
): DecodedShares {
  requireShares(shares);
  if (shares.length < threshold) {
    throw new ShareError(`${threshold} shares are needed, and there are ${shares.length}`);
  }
  const correctable = Math.floor((shares.length - threshold) / 2);
  const wrong = new Set<number>();
  for (;;) {
    const believed = shares.filter((share) => !wrong.has(share.slot));
    const polynomials = interpolateShares(believed.slice(0, threshold), weights);
    const disputed = firstDisputedByte(polynomials, believed.slice(threshold));
    // At most e shares are left out and the others agree in every byte: no other polynomial is as near.
    if (disputed === undefined) return { ok: true, secret: polynomials(0), wrong: sorted(wrong) };

    const decoded = decodeByte(shares, disputed, threshold);
    if (decoded === undefined) return { ok: false };
    for (const slot of decoded.wrong) wrong.add(slot);
    if (wrong.size > correctable) return decodeEveryByte(shares, threshold);
  }
}

/** The first byte position in which some of `others` is not on its polynomial. */
function firstDisputedByte(polynomials: (x: number) => Uint8Array, others: readonly Share[]): number | undefined {
  let first: number | undefined;
  for (const { slot, value } of others) {
    const expected = polynomials(slot);
    const difference = expected.findIndex((byte, position) => byte !== value[position]);
    if (difference !== -1 && (first === undefined || difference < first)) first = difference;
  }
  return first;
}

function decodeEveryByte(shares: readonly Share[], threshold: number): DecodedShares {
  const secret = new Uint8Array(SECRET_LENGTH);
  const wrong = new Set<number>();
  for (let position = 0; position < SECRET_LENGTH; position++) {
    const decoded = decodeByte(shares, position, threshold);
    if (decoded === undefined) return { ok: false };
    secret[position] = decoded.secret;
    for (const slot of decoded.wrong) wrong.add(slot);
  }
  return { ok: true, secret, wrong: sorted(wrong) };
}

/**
 * Gao, "A new algorithm for decoding Reed–Solomon codes" (2003), algorithm 1, for one byte position: the extended
 * Euclidean algorithm on Π(x - x_i) and the polynomial through all received points, stopped when the remainder's degree
 * falls below (m + t)/2; then message = remainder / cofactor.
 */
function decodeByte(shares: readonly Share[], position: number, threshold: number) {
  const points = shares.map((share) => share.slot);
  const values = shares.map((share) => share.value[position]);
  let previous = vanishingPolynomial(points);
  let remainder = interpolate(points, values, previous);
  let previousCofactor: Polynomial = [];
  let cofactor: Polynomial = [1];
  while (2 * (remainder.length - 1) >= points.length + threshold) {
    const { quotient, rest } = divideWithRest(previous, remainder);
    [previous, remainder] = [remainder, rest];
    [previousCofactor, cofactor] = [cofactor, add(previousCofactor, product(quotient, cofactor))];
  }
  const { quotient: message, rest } = divideWithRest(remainder, cofactor);
  if (rest.length > 0 || message.length > threshold) return undefined;
  const wrong = points.filter((point, i) => evaluate(message, point) !== values[i]);
  if (2 * wrong.length > points.length - threshold) return undefined;
  return { secret: evaluate(message, 0), wrong };
}

const sorted = (slots: ReadonlySet<number>) => [...slots].sort((a, b) => a - b);

/** Coefficients from the constant term up, without leading zeros; the zero polynomial is empty. */
type Polynomial = readonly number[];

function trimmed(coefficients: number[]): Polynomial {
  while (coefficients.length > 0 && coefficients[coefficients.length - 1] === 0) coefficients.pop();
  return coefficients;
}

function evaluate(polynomial: Polynomial, x: number): number {
  return polynomial.reduceRight((value, coefficient) => multiply(value, x) ^ coefficient, 0);
}

function add(a: Polynomial, b: Polynomial): Polynomial {
  return trimmed(Array.from({ length: Math.max(a.length, b.length) }, (_, i) => (a[i] ?? 0) ^ (b[i] ?? 0)));
}

function product(a: Polynomial, b: Polynomial): Polynomial {
  const result = new Array<number>(Math.max(0, a.length + b.length - 1)).fill(0);
  for (const [i, factor] of a.entries()) {
    for (const [j, other] of b.entries()) result[i + j] ^= multiply(factor, other);
  }
  return trimmed(result);
}

function divideWithRest(dividend: Polynomial, divisor: Polynomial): { quotient: Polynomial; rest: Polynomial } {
  const rest = [...dividend];
  const quotient = new Array<number>(Math.max(0, dividend.length - divisor.length + 1)).fill(0);
  for (let shift = quotient.length - 1; shift >= 0; shift--) {
    const factor = divide(rest[shift + divisor.length - 1], divisor[divisor.length - 1]);
    quotient[shift] = factor;
    for (const [i, coefficient] of divisor.entries()) rest[shift + i] ^= multiply(factor, coefficient);
  }
  return { quotient: trimmed(quotient), rest: trimmed(rest) };
}

/** Π(x - x_i). */
function vanishingPolynomial(points: readonly number[]): Polynomial {
  return points.reduce<Polynomial>((polynomial, point) => product(polynomial, [point, 1]), [1]);
}

/** The polynomial of degree below m through m points: Σ y_i · V/(x - x_i) / V'(x_i), V being the vanishing polynomial. */
function interpolate(points: readonly number[], values: readonly number[], vanishing: Polynomial): Polynomial {
  const sum = new Array<number>(points.length).fill(0);
  for (const [i, point] of points.entries()) {
    if (values[i] === 0) continue;
    const { quotient } = divideWithRest(vanishing, [point, 1]);
    const scale = divide(values[i], evaluate(quotient, point));
    for (const [power, coefficient] of quotient.entries()) sum[power] ^= multiply(scale, coefficient);
  }
  return trimmed(sum);
}
