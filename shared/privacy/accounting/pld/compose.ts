import { inverseRealTransform, realTransform, type Spectrum, transformLength } from "../fft.ts";
import { coarser } from "./coarser.ts";
import { connectTheDots } from "./connect-the-dots.ts";
import { DEFAULT_INTERVAL, type GridPld, type LossDistribution, MAX_POINTS, type Pld, type Repeated } from "./pld.ts";
import { gaussianCurve } from "./privacy-curve.ts";
import { sumWindow, TAIL_MASS } from "./sum-window.ts";

/**
 * The privacy loss distribution of `times` independent runs of one mechanism.
 *
 * @throws {RangeError} unless `times` is an integer of at least 1.
 */
export function composed(pld: Pld, times: number): Pld {
  return composedAll([{ pld, times }]);
}

/**
 * The privacy loss distribution of all the mechanisms run after each other, in any order. Losses add up, so their
 * distribution is a convolution: one Fourier transform for each, their powers multiplied, one transform back
 * (Koskela, Jälkö, Honkela 2020).
 *
 * @throws {RangeError} for nothing to compose, a count that is no integer of at least 1, and grids whose steps are not
 * powers of two times each other.
 */
export function composedAll(mechanisms: readonly Repeated<Pld>[]): Pld {
  if (mechanisms.length === 0) throw new RangeError("there is nothing to compose");
  for (const { times } of mechanisms) {
    if (!Number.isSafeInteger(times) || times < 1)
      throw new RangeError(`a mechanism is run a whole number of times, not ${times}`);
  }
  const grids: Repeated<GridPld>[] = [];
  // Gaussians compose to a Gaussian: 1/z² adds up.
  let precision = 0;
  for (const { pld, times } of mechanisms) {
    if (pld.kind === "grid") grids.push({ pld, times });
    else precision += times / pld.noiseMultiplier ** 2;
  }
  if (precision > 0) {
    const noiseMultiplier = 1 / Math.sqrt(precision);
    if (grids.length === 0) return { kind: "gaussian", noiseMultiplier };
    const finest = Math.min(...grids.map(({ pld }) => pld.directions[0].interval));
    grids.push({ pld: connectTheDots(gaussianCurve(noiseMultiplier), finest), times: 1 });
  }
  if (grids.length === 1 && grids[0].times === 1) return grids[0].pld;
  const direction = (index: 0 | 1) =>
    convolved(grids.map(({ pld, times }) => ({ pld: pld.directions[index] ?? pld.directions[0], times })));
  if (grids.every(({ pld }) => pld.directions.length === 1)) return { kind: "grid", directions: [direction(0)] };
  return { kind: "grid", directions: [direction(0), direction(1)] };
}

function convolved(unequal: readonly Repeated<LossDistribution>[]): LossDistribution {
  let parts = onOneGrid(unequal);
  let window = sumWindow(parts);
  while (window.last - window.first + 1 > MAX_POINTS) {
    parts = parts.map(({ pld, times }) => ({ pld: coarser(pld), times }));
    window = sumWindow(parts);
  }
  const length = window.last - window.first + 1;
  const size = transformLength(length);
  let product: Spectrum | undefined;
  // Each part is turned so that its mean is at place 0: phases then stay small where there is anything of a power left,
  // and their multiple is exact.
  let origin = 0;
  for (const { pld, times } of parts) {
    const mean = meanIndex(pld);
    origin += times * mean;
    const spectrum = raised(realTransform(folded(pld, mean, size)), times);
    product = product === undefined ? spectrum : multiplied(product, spectrum);
  }
  const sums = inverseRealTransform(product ?? { real: new Float64Array(2), imaginary: new Float64Array(2) });
  const masses = new Float64Array(length);
  for (let i = 0; i < length; i++) masses[i] = sums[wrapped(window.first - origin + i, size)];
  return {
    interval: parts[0].pld.interval,
    first: window.first,
    masses,
    // What lies past the window's two ends wraps around in the transform: it is counted as infinite instead.
    infinite: Math.min(
      1,
      2 * TAIL_MASS - Math.expm1(parts.reduce((log, part) => log + part.times * Math.log1p(-part.pld.infinite), 0)),
    ),
  };
}

function onOneGrid(parts: readonly Repeated<LossDistribution>[]): readonly Repeated<LossDistribution>[] {
  const interval = Math.max(...parts.map(({ pld }) => pld.interval));
  return parts.map(({ pld, times }) => {
    let distribution = pld;
    while (distribution.interval < interval * (1 - 1e-9)) distribution = coarser(distribution);
    if (distribution.interval > interval * (1 + 1e-9)) {
      throw new RangeError(
        `grids of steps ${pld.interval} and ${interval} have no common one: take powers of two of ${DEFAULT_INTERVAL}`,
      );
    }
    return { pld: distribution, times };
  });
}

function meanIndex({ masses, first }: LossDistribution): number {
  let mass = 0;
  let moment = 0;
  for (let i = 0; i < masses.length; i++) {
    mass += masses[i];
    moment += masses[i] * i;
  }
  return first + Math.round(moment / mass);
}

/** The masses in a circle of `size` places, that of the index `origin` first. */
function folded({ masses, first }: LossDistribution, origin: number, size: number): Float64Array {
  const circle = new Float64Array(size);
  for (let i = 0, place = wrapped(first - origin, size); i < masses.length; i++) {
    circle[place] += masses[i];
    place = place + 1 === size ? 0 : place + 1;
  }
  return circle;
}

function wrapped(index: number, size: number): number {
  const rest = index % size;
  return rest < 0 ? rest + size : rest;
}

/** Every bin to the power of `times`, in place. */
function raised(spectrum: Spectrum, times: number): Spectrum {
  if (times === 1) return spectrum;
  const { real, imaginary } = spectrum;
  // A bin whose power is below e^-100 is none, which spares most of them the trigonometry.
  const least = Math.exp(-200 / times);
  for (let k = 0; k < real.length; k++) {
    const square = real[k] * real[k] + imaginary[k] * imaginary[k];
    if (square < least) {
      real[k] = 0;
      imaginary[k] = 0;
      continue;
    }
    const magnitude = Math.exp(0.5 * times * Math.log(square));
    const angle = times * Math.atan2(imaginary[k], real[k]);
    real[k] = magnitude * Math.cos(angle);
    imaginary[k] = magnitude * Math.sin(angle);
  }
  return spectrum;
}

/** The product, in place of the first. */
function multiplied(spectrum: Spectrum, other: Spectrum): Spectrum {
  const { real: a, imaginary: b } = spectrum;
  const { real: c, imaginary: d } = other;
  for (let k = 0; k < a.length; k++) {
    const real = a[k] * c[k] - b[k] * d[k];
    b[k] = a[k] * d[k] + b[k] * c[k];
    a[k] = real;
  }
  return spectrum;
}
