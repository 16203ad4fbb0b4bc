/**
 * The discrete Fourier transform of real sequences of 2^k or 3·2^k numbers, for convolving distributions.
 *
 * A real sequence of n numbers is a complex one of n/2 (even places real, odd places imaginary); that one goes through
 * Stockham's self-sorting passes of radix 4, and of radix 3 and 2 where the length asks for them: every pass reads and
 * writes whole runs, and nothing is permuted (Van Loan, Computational Frameworks for the Fast Fourier Transform, 1992,
 * sections 1.7 and 4.3).
 */

/** Bins 0 … n/2 of the transform of n real numbers: X_k = Σ_j x_j e^{−2πi jk/n}. The others are their conjugates. */
export interface Spectrum {
  readonly real: Float64Array;
  readonly imaginary: Float64Array;
}

/** The least length of at least `length` that can be transformed: 2^k or 3·2^k, and no less than 4. */
export function transformLength(length: number): number {
  let power = 4;
  while (power < length) power *= 2;
  const threeQuarters = 0.75 * power;
  return threeQuarters >= length && threeQuarters >= 6 ? threeQuarters : power;
}

/** @throws {RangeError} unless the length is one of {@link transformLength}'s. */
export function realTransform(values: Float64Array): Spectrum {
  const length = values.length;
  const roots = rootsOfUnity(length);
  const half = length / 2;
  const packed = complexBuffer(half);
  for (let i = 0; i < half; i++) {
    packed.real[i] = values[2 * i];
    packed.imaginary[i] = values[2 * i + 1];
  }
  const { real: a, imaginary: b } = complexTransform(packed, roots);
  const real = new Float64Array(half + 1);
  const imaginary = new Float64Array(half + 1);
  real[0] = a[0] + b[0];
  real[half] = a[0] - b[0];
  // The transforms E and O of the even and the odd places are the even and the odd part of the packed one;
  // X_k = E_k + w^k O_k, and the bin of half − k shares both with it.
  for (let k = 1; k <= half - k; k++) {
    const other = half - k;
    const evenReal = 0.5 * (a[k] + a[other]);
    const evenImaginary = 0.5 * (b[k] - b[other]);
    const oddReal = 0.5 * (b[k] + b[other]);
    const oddImaginary = 0.5 * (a[other] - a[k]);
    const turnedReal = roots.cosine[k] * oddReal + roots.sine[k] * oddImaginary;
    const turnedImaginary = roots.cosine[k] * oddImaginary - roots.sine[k] * oddReal;
    real[k] = evenReal + turnedReal;
    imaginary[k] = evenImaginary + turnedImaginary;
    real[other] = evenReal - turnedReal;
    imaginary[other] = turnedImaginary - evenImaginary;
  }
  return { real, imaginary };
}

/** The real sequence whose transform the spectrum is; of twice as many numbers as it has bins, less 2. */
export function inverseRealTransform(spectrum: Spectrum): Float64Array {
  const { real, imaginary } = spectrum;
  const half = real.length - 1;
  const length = 2 * half;
  const roots = rootsOfUnity(length);
  const packed = complexBuffer(half);
  // The inverse is the forward transform of the conjugate, conjugated and divided by the length.
  packed.real[0] = 0.5 * (real[0] + real[half]);
  packed.imaginary[0] = -0.5 * (real[0] - real[half]);
  for (let k = 1; k <= half - k; k++) {
    const other = half - k;
    const evenReal = 0.5 * (real[k] + real[other]);
    const evenImaginary = 0.5 * (imaginary[k] - imaginary[other]);
    const turnedReal = 0.5 * (real[k] - real[other]);
    const turnedImaginary = 0.5 * (imaginary[k] + imaginary[other]);
    const oddReal = roots.cosine[k] * turnedReal - roots.sine[k] * turnedImaginary;
    const oddImaginary = roots.cosine[k] * turnedImaginary + roots.sine[k] * turnedReal;
    packed.real[k] = evenReal - oddImaginary;
    packed.imaginary[k] = -(evenImaginary + oddReal);
    packed.real[other] = evenReal + oddImaginary;
    packed.imaginary[other] = evenImaginary - oddReal;
  }
  const { real: a, imaginary: b } = complexTransform(packed, roots);
  const values = new Float64Array(length);
  const scale = 1 / half;
  for (let i = 0; i < half; i++) {
    values[2 * i] = a[i] * scale;
    values[2 * i + 1] = -b[i] * scale;
  }
  return values;
}

interface Complex {
  readonly real: Float64Array;
  readonly imaginary: Float64Array;
}

const complexBuffer = (length: number): Complex => ({
  real: new Float64Array(length),
  imaginary: new Float64Array(length),
});

/** cos and sin of 2πk/n for the first third of the circle, which is as far as any pass looks. */
interface Roots {
  readonly length: number;
  readonly cosine: Float64Array;
  readonly sine: Float64Array;
}

/** Overwrites its argument. The roots are those of the real sequence, of twice the length. */
function complexTransform(input: Complex, roots: Roots): Complex {
  const length = input.real.length;
  let from = input;
  let to = complexBuffer(length);
  let run = 1;
  for (let left = length; left > 1; ) {
    const radix = left % 4 === 0 ? 4 : left % 3 === 0 ? 3 : 2;
    if (radix === 4) radix4Pass(from.real, from.imaginary, to.real, to.imaginary, left / 4, run, roots);
    else if (radix === 3) radix3Pass(from.real, from.imaginary, to.real, to.imaginary, left / 3, run, roots);
    else radix2Pass(from.real, from.imaginary, to.real, to.imaginary, left / 2, run, roots);
    [from, to] = [to, from];
    left /= radix;
    run *= radix;
  }
  return from;
}

// The passes of Stockham's algorithm: `count` butterflies for each of `run` interleaved transforms.

function radix4Pass(
  fromReal: Float64Array,
  fromImaginary: Float64Array,
  toReal: Float64Array,
  toImaginary: Float64Array,
  count: number,
  run: number,
  roots: Roots,
): void {
  const { cosine, sine } = roots;
  const stride = run * count;
  for (let p = 0; p < count; p++) {
    const c1 = cosine[2 * run * p];
    const s1 = sine[2 * run * p];
    const c2 = c1 * c1 - s1 * s1;
    const s2 = 2 * c1 * s1;
    const c3 = c1 * c2 - s1 * s2;
    const s3 = c1 * s2 + s1 * c2;
    for (let i = run * p, o = 4 * run * p; i < run * (p + 1); i++, o++) {
      const ar = fromReal[i];
      const ai = fromImaginary[i];
      const br = fromReal[i + stride];
      const bi = fromImaginary[i + stride];
      const cr = fromReal[i + 2 * stride];
      const ci = fromImaginary[i + 2 * stride];
      const dr = fromReal[i + 3 * stride];
      const di = fromImaginary[i + 3 * stride];
      const sumReal = ar + cr;
      const sumImaginary = ai + ci;
      const differenceReal = ar - cr;
      const differenceImaginary = ai - ci;
      const otherSumReal = br + dr;
      const otherSumImaginary = bi + di;
      const turnedReal = bi - di;
      const turnedImaginary = dr - br;
      const firstReal = differenceReal + turnedReal;
      const firstImaginary = differenceImaginary + turnedImaginary;
      const secondReal = sumReal - otherSumReal;
      const secondImaginary = sumImaginary - otherSumImaginary;
      const thirdReal = differenceReal - turnedReal;
      const thirdImaginary = differenceImaginary - turnedImaginary;
      toReal[o] = sumReal + otherSumReal;
      toImaginary[o] = sumImaginary + otherSumImaginary;
      toReal[o + run] = c1 * firstReal + s1 * firstImaginary;
      toImaginary[o + run] = c1 * firstImaginary - s1 * firstReal;
      toReal[o + 2 * run] = c2 * secondReal + s2 * secondImaginary;
      toImaginary[o + 2 * run] = c2 * secondImaginary - s2 * secondReal;
      toReal[o + 3 * run] = c3 * thirdReal + s3 * thirdImaginary;
      toImaginary[o + 3 * run] = c3 * thirdImaginary - s3 * thirdReal;
    }
  }
}

const HALF_SQRT_3 = Math.sqrt(3) / 2;

function radix3Pass(
  fromReal: Float64Array,
  fromImaginary: Float64Array,
  toReal: Float64Array,
  toImaginary: Float64Array,
  count: number,
  run: number,
  roots: Roots,
): void {
  const { cosine, sine } = roots;
  const stride = run * count;
  for (let p = 0; p < count; p++) {
    const c1 = cosine[2 * run * p];
    const s1 = sine[2 * run * p];
    const c2 = c1 * c1 - s1 * s1;
    const s2 = 2 * c1 * s1;
    for (let i = run * p, o = 3 * run * p; i < run * (p + 1); i++, o++) {
      const ar = fromReal[i];
      const ai = fromImaginary[i];
      const sumReal = fromReal[i + stride] + fromReal[i + 2 * stride];
      const sumImaginary = fromImaginary[i + stride] + fromImaginary[i + 2 * stride];
      const turnedReal = HALF_SQRT_3 * (fromImaginary[i + stride] - fromImaginary[i + 2 * stride]);
      const turnedImaginary = HALF_SQRT_3 * (fromReal[i + 2 * stride] - fromReal[i + stride]);
      const middleReal = ar - 0.5 * sumReal;
      const middleImaginary = ai - 0.5 * sumImaginary;
      const firstReal = middleReal + turnedReal;
      const firstImaginary = middleImaginary + turnedImaginary;
      const secondReal = middleReal - turnedReal;
      const secondImaginary = middleImaginary - turnedImaginary;
      toReal[o] = ar + sumReal;
      toImaginary[o] = ai + sumImaginary;
      toReal[o + run] = c1 * firstReal + s1 * firstImaginary;
      toImaginary[o + run] = c1 * firstImaginary - s1 * firstReal;
      toReal[o + 2 * run] = c2 * secondReal + s2 * secondImaginary;
      toImaginary[o + 2 * run] = c2 * secondImaginary - s2 * secondReal;
    }
  }
}

function radix2Pass(
  fromReal: Float64Array,
  fromImaginary: Float64Array,
  toReal: Float64Array,
  toImaginary: Float64Array,
  count: number,
  run: number,
  roots: Roots,
): void {
  const { cosine, sine } = roots;
  const stride = run * count;
  for (let p = 0; p < count; p++) {
    const c1 = cosine[2 * run * p];
    const s1 = sine[2 * run * p];
    for (let i = run * p, o = 2 * run * p; i < run * (p + 1); i++, o++) {
      const differenceReal = fromReal[i] - fromReal[i + stride];
      const differenceImaginary = fromImaginary[i] - fromImaginary[i + stride];
      toReal[o] = fromReal[i] + fromReal[i + stride];
      toImaginary[o] = fromImaginary[i] + fromImaginary[i + stride];
      toReal[o + run] = c1 * differenceReal + s1 * differenceImaginary;
      toImaginary[o + run] = c1 * differenceImaginary - s1 * differenceReal;
    }
  }
}

let lastRoots: Roots | undefined;

/** Kept from one call to the next: transforms come in pairs of one length. */
function rootsOfUnity(length: number): Roots {
  if (length !== transformLength(length)) throw new RangeError(`no transform of ${length} numbers`);
  if (lastRoots?.length !== length) lastRoots = computeRoots(length);
  return lastRoots;
}

/** Products of two of about √n roots each: one rounding more than sines of their own, at a twentieth of the time. */
function computeRoots(length: number): Roots {
  const size = Math.ceil(length / 3) + 1;
  const cosine = new Float64Array(size);
  const sine = new Float64Array(size);
  const block = 1024;
  const unit = (2 * Math.PI) / length;
  for (let start = 0; start < size; start += block) {
    const startCosine = Math.cos(unit * start);
    const startSine = Math.sin(unit * start);
    const end = Math.min(block, size - start);
    if (start === 0) {
      for (let i = 0; i < end; i++) {
        cosine[i] = Math.cos(unit * i);
        sine[i] = Math.sin(unit * i);
      }
      continue;
    }
    for (let i = 0; i < end; i++) {
      cosine[start + i] = startCosine * cosine[i] - startSine * sine[i];
      sine[start + i] = startSine * cosine[i] + startCosine * sine[i];
    }
  }
  return { length, cosine, sine };
}
