import type { ParameterVector } from "../parameters.ts";
import { type Aggregate, type Algorithm, type AlgorithmState, expectLength, requireServerLr } from "./algorithm.ts";
import type { DeviceHalf } from "./device-half.ts";
import { decodeVectors, encodeVectors } from "./state-vectors.ts";

/**
 * SCAFFOLD (Karimireddy et al. 2020, arXiv 1910.06378), Algorithm 1 with option II of line 12. The comments give its
 * lines.
 *
 * ```
 *  coordinator: x, c ── broadcast x ‖ c ──► device i: y_i = x after K steps of SGD, each with c − c_i added (line 10)
 *  x += η_g · mean Δy_i  ◄── sum of Δy_i ‖ Δc_i ◄──  Δc_i = c_i⁺ − c_i, which stays unsaid but for the sum
 *  c += |S|/N · mean Δc_i
 * ```
 *
 * Both halves of the answer go through the one masked sum, quantised in the same range. Devices count alike (line 16
 * averages over |S|), so the mean is one of `weight:uniform`. Δc_i is in the unit of a gradient: a device's mean gradient
 * of the round minus c. A coordinate of it beyond the quantiser's range is clamped, as one of Δy_i is.
 */
export interface ScaffoldOptions {
  /** η_g, the global step-size; 1 in the paper's experiments. */
  readonly serverLr: number;
  /** N, all devices, of which a round samples S. */
  readonly devices: number;
}

export interface ScaffoldState extends AlgorithmState {
  /** c, the server's control variate: the mean of the devices'. */
  readonly control: Float32Array;
}

export function scaffold({ serverLr, devices }: ScaffoldOptions): Algorithm<ScaffoldState> {
  requireServerLr(serverLr);
  if (!(Number.isInteger(devices) && devices > 0)) throw new RangeError(`SCAFFOLD among ${devices} devices`);
  return {
    name: "scaffold",
    procedure: "scaffold",
    // Line 1; c starts at zero, as every c_i does.
    init: (parameters) => ({ parameters, control: new Float32Array(parameters.length) }),
    // Line 5: communicate (x, c).
    broadcast: ({ parameters, control }) => concatenate(parameters, control),
    next({ parameters, control }, { delta, survivors }: Aggregate) {
      expectLength(2 * parameters.length, delta);
      const deltaX = delta.subarray(0, parameters.length);
      const deltaC = delta.subarray(parameters.length);
      return {
        parameters: step(parameters, deltaX, serverLr), // lines 16 and 17: x ← x + η_g Δx
        control: step(control, deltaC, survivors / devices), // c ← c + |S|/N Δc
      };
    },
    encode: ({ control }) => encodeVectors(control),
    decode(parameters, bytes) {
      const [control] = decodeVectors(bytes, 1, parameters.length);
      return { parameters, control };
    },
  };
}

/** Lines 7 to 14: between receiving (x, c) and answering (Δy_i, Δc_i). */
export const scaffoldDevice: DeviceHalf = {
  prepare({ broadcast, memory }) {
    const [x, c] = halves(broadcast);
    // A copy: the trainer may be in another thread, and views travel with all that they are views of.
    return { parameters: x.slice(), correction: memory === undefined ? c.slice() : difference(c, memory) };
  },
  finish({ broadcast, memory }, { parameters: y, steps, learningRate }) {
    const [x, c] = halves(broadcast);
    const update = new Float32Array(broadcast.length);
    const before = memory ?? new Float32Array(x.length);
    if (steps === 0) return { update, memory: before };
    const after = newControl(x, y, c, before, steps * learningRate);
    subtractInto(update, y, x, 0); // line 13: Δy_i = y_i − x
    subtractInto(update, after, before, x.length); // Δc_i = c_i⁺ − c_i
    return { update, memory: after }; // line 14: c_i ← c_i⁺
  },
};

/** Line 12, option II: c_i⁺ = c_i − c + (x − y_i) / (K η_l). */
function newControl(
  x: Float32Array,
  y: Float32Array,
  c: Float32Array,
  before: Float32Array,
  way: number,
): ParameterVector {
  const after = new Float32Array(x.length);
  for (let i = 0; i < after.length; i++) after[i] = before[i] - c[i] + (x[i] - y[i]) / way;
  return after;
}

function halves(broadcast: Float32Array): [Float32Array, Float32Array] {
  const size = broadcast.length / 2;
  if (!Number.isInteger(size))
    throw new RangeError(`x and c are of one length, and ${broadcast.length} values are not`);
  return [broadcast.subarray(0, size), broadcast.subarray(size)];
}

function concatenate(x: Float32Array, c: Float32Array): Float32Array {
  const both = new Float32Array(x.length + c.length);
  both.set(x);
  both.set(c, x.length);
  return both;
}

function step(from: Float32Array, direction: Float32Array, rate: number): Float32Array {
  const next = new Float32Array(from.length);
  for (let i = 0; i < next.length; i++) next[i] = from[i] + rate * direction[i];
  return next;
}

function difference(a: Float32Array, b: Float32Array): Float32Array {
  if (a.length !== b.length) throw new RangeError(`a control variate of ${b.length} values where ${a.length} belong`);
  const result = new Float32Array(a.length);
  subtractInto(result, a, b, 0);
  return result;
}

/** target[at + i] = a[i] − b[i] */
function subtractInto(target: Float32Array, a: Float32Array, b: Float32Array, at: number): void {
  for (let i = 0; i < a.length; i++) target[at + i] = a[i] - b[i];
}
