import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { deviceHalf } from "../../../../shared/learning/algorithms/device-half.ts";
import { fedAvg } from "../../../../shared/learning/algorithms/fedavg.ts";
import { type ScaffoldState, scaffold, scaffoldDevice } from "../../../../shared/learning/algorithms/scaffold.ts";
import { seededRandom } from "../../../../shared/random/seeded-random.ts";

const D = 4;
const N = 6;

/** Device i minimises ½ Σ_j a_ij (w_j − b_ij)²: each its own curvature and its own minimum. */
interface Quadratic {
  readonly a: readonly number[];
  readonly b: readonly number[];
}

const random = seededRandom(11, "test-quadratics");
const QUADRATICS: readonly Quadratic[] = Array.from({ length: N }, () => ({
  a: Array.from({ length: D }, () => 0.2 + random.below(1800) / 1000),
  b: Array.from({ length: D }, () => random.below(4000) / 1000 - 2),
}));

const gradient = ({ a, b }: Quadratic, w: ArrayLike<number>) => a.map((curvature, j) => curvature * (w[j] - b[j]));
const start = Float32Array.of(0.5, -0.5, 0.25, 1);

/** Minimum of the mean of all devices' objectives. */
const optimum = Array.from({ length: D }, (_, j) => {
  const curvature = QUADRATICS.reduce((sum, { a }) => sum + a[j], 0);
  return QUADRATICS.reduce((sum, { a, b }) => sum + a[j] * b[j], 0) / curvature;
});

const distance = (w: ArrayLike<number>) => Math.hypot(...optimum.map((value, j) => w[j] - value));

/** K steps of gradient descent in single precision, as an engine does them. */
function train(of: Quadratic, from: Float32Array, steps: number, rate: number, correction?: Float32Array) {
  const w = from.slice();
  for (let k = 0; k < steps; k++) {
    const g = gradient(of, w);
    for (let j = 0; j < D; j++) w[j] -= rate * (g[j] + (correction?.[j] ?? 0));
  }
  return w;
}

/** A round among these devices, with the means that the sum would give. */
function playRound(
  state: ScaffoldState,
  memories: Map<number, Float32Array>,
  cohort: readonly number[],
  { steps, rate, serverLr }: { readonly steps: number; readonly rate: number; readonly serverLr: number },
): ScaffoldState {
  const algorithm = scaffold({ serverLr, devices: N });
  const broadcast = algorithm.broadcast(state);
  const updates = cohort.map((i) => {
    const memory = memories.get(i);
    const received = { broadcast, ...(memory === undefined ? {} : { memory }) };
    const { parameters, correction } = scaffoldDevice.prepare(received);
    const y = train(QUADRATICS[i], parameters, steps, rate, correction);
    const finished = scaffoldDevice.finish(received, { parameters: y, steps, learningRate: rate });
    memories.set(i, finished.memory!);
    return finished.update;
  });
  const delta = Float32Array.from(broadcast, (_, j) => updates.reduce((sum, u) => sum + u[j], 0) / updates.length);
  return algorithm.next(state, { delta, weight: updates.length, survivors: updates.length });
}

const everyone = QUADRATICS.map((_, i) => i);
const cohortOf = (t: number) => {
  const draw = seededRandom(4, "test-cohort", t);
  return everyone
    .filter(() => draw.below(2) === 1)
    .concat(t % N)
    .filter((i, k, all) => all.indexOf(i) === k);
};

describe("SCAFFOLD, against Algorithm 1 in double precision", () => {
  it("over twenty rounds among half of the devices", () => {
    const [steps, rate, serverLr] = [5, 0.1, 0.8];
    const memories = new Map<number, Float32Array>();
    let state = scaffold({ serverLr, devices: N }).init(start);

    const x = [...start];
    const c = new Array<number>(D).fill(0);
    const ci = everyone.map(() => new Array<number>(D).fill(0));
    for (let t = 1; t <= 20; t++) {
      const cohort = cohortOf(t);
      state = playRound(state, memories, cohort, { steps, rate, serverLr });

      const [sumX, sumC] = [new Array<number>(D).fill(0), new Array<number>(D).fill(0)];
      for (const i of cohort) {
        const y = [...x];
        for (let k = 0; k < steps; k++) {
          const g = gradient(QUADRATICS[i], y);
          for (let j = 0; j < D; j++) y[j] -= rate * (g[j] - ci[i][j] + c[j]);
        }
        for (let j = 0; j < D; j++) {
          const plus = ci[i][j] - c[j] + (x[j] - y[j]) / (steps * rate);
          sumX[j] += y[j] - x[j];
          sumC[j] += plus - ci[i][j];
          ci[i][j] = plus;
        }
      }
      for (let j = 0; j < D; j++) {
        x[j] += (serverLr * sumX[j]) / cohort.length;
        c[j] += sumC[j] / N;
        expect(Math.abs(state.parameters[j] - x[j])).toBeLessThan(1e-4);
        expect(Math.abs(state.control[j] - c[j])).toBeLessThan(1e-4);
      }
      for (const i of cohort) {
        for (const [j, value] of ci[i].entries()) expect(memories.get(i)?.[j]).toBeCloseTo(value, 4);
      }
    }
  });

  it("one round by hand", () => {
    // x = 1, c = 2, c_i = 5, y = 0 after K = 2 steps of η = 0.25: c_i⁺ = 5 − 2 + (1 − 0) / 0.5 = 5, Δc = 0; Δy = −1.
    const received = { broadcast: Float32Array.of(1, 2), memory: Float32Array.of(5) };
    expect(scaffoldDevice.prepare(received)).toEqual({
      parameters: Float32Array.of(1),
      correction: Float32Array.of(-3),
    });
    const finished = scaffoldDevice.finish(received, { parameters: Float32Array.of(0), steps: 2, learningRate: 0.25 });
    expect(finished).toEqual({ update: Float32Array.of(-1, 0), memory: Float32Array.of(5) });
    // x ← 1 + 0.5 · (−1); c ← 2 + 3/4 · 4.
    const algorithm = scaffold({ serverLr: 0.5, devices: 4 });
    const state = { parameters: Float32Array.of(1), control: Float32Array.of(2) };
    const after = algorithm.next(state, { delta: Float32Array.of(-1, 4), weight: 3, survivors: 3 });
    expect(after).toEqual({ parameters: Float32Array.of(0.5), control: Float32Array.of(5) });
  });
});

describe("what the paper says of it", () => {
  it("with everybody in it and one local step a round is a step of SGD on the mean objective", () => {
    const rate = 0.3;
    const memories = new Map<number, Float32Array>();
    let state = scaffold({ serverLr: 1, devices: N }).init(start);
    const w = [...start];
    for (let t = 0; t < 15; t++) {
      state = playRound(state, memories, everyone, { steps: 1, rate, serverLr: 1 });
      const gradients = QUADRATICS.map((of) => gradient(of, w));
      for (let j = 0; j < D; j++) w[j] -= (rate * gradients.reduce((sum, g) => sum + g[j], 0)) / N;
      for (const [j, value] of w.entries()) expect(Math.abs(state.parameters[j] - value)).toBeLessThan(1e-5);
    }
  });

  it("has devices start with their memory at zero, and so the first round trains as FedAvg does", () => {
    const broadcast = scaffold({ serverLr: 1, devices: N }).broadcast({
      parameters: start,
      control: new Float32Array(D),
    });
    expect(scaffoldDevice.prepare({ broadcast })).toEqual({ parameters: start, correction: new Float32Array(D) });
  });

  it("keeps c the mean of the devices' c_i, whoever takes part", () => {
    const memories = new Map<number, Float32Array>();
    let state = scaffold({ serverLr: 1, devices: N }).init(start);
    for (let t = 1; t <= 12; t++) {
      state = playRound(state, memories, cohortOf(t), { steps: 4, rate: 0.1, serverLr: 1 });
      for (let j = 0; j < D; j++) {
        const mean = everyone.reduce((sum, i) => sum + (memories.get(i)?.[j] ?? 0), 0) / N;
        expect(state.control[j]).toBeCloseTo(mean, 5);
      }
    }
  });

  it("does not drift: where FedAvg settles far from the minimum, it finds it, also with half of the devices a round", () => {
    const [steps, rate, rounds] = [20, 0.2, 120];
    let drifted = fedAvg({ serverLr: 1 }).init(start);
    const half = deviceHalf(undefined);
    for (let t = 0; t < rounds; t++) {
      const updates = everyone.map((i) => {
        const received = { broadcast: drifted.parameters };
        const y = train(QUADRATICS[i], half.prepare(received).parameters, steps, rate);
        return half.finish(received, { parameters: y, steps, learningRate: rate }).update;
      });
      const delta = Float32Array.from(start, (_, j) => updates.reduce((sum, u) => sum + u[j], 0) / N);
      drifted = fedAvg({ serverLr: 1 }).next(drifted, { delta, weight: N, survivors: N });
    }
    const memories = new Map<number, Float32Array>();
    let state = scaffold({ serverLr: 1, devices: N }).init(start);
    for (let t = 1; t <= rounds; t++) state = playRound(state, memories, cohortOf(t), { steps, rate, serverLr: 1 });
    expect(distance(drifted.parameters)).toBeGreaterThan(0.1);
    expect(distance(state.parameters)).toBeLessThan(1e-3);
  });
});

describe("a device's half", () => {
  it("that took no step sends nothing and keeps what it had", () => {
    const received = { broadcast: Float32Array.of(1, 2), memory: Float32Array.of(5) };
    const trained = { parameters: Float32Array.of(1), steps: 0, learningRate: 0.1 };
    expect(scaffoldDevice.finish(received, trained)).toEqual({
      update: Float32Array.of(0, 0),
      memory: received.memory,
    });
  });

  it("refuses what is no x and c, and a memory of another model", () => {
    expect(() => scaffoldDevice.prepare({ broadcast: new Float32Array(3) })).toThrow(RangeError);
    const memory = new Float32Array(3);
    expect(() => scaffoldDevice.prepare({ broadcast: new Float32Array(4), memory })).toThrow(RangeError);
  });

  it("changes neither what it was sent nor what it kept", () => {
    const vector = fc.float32Array({ minLength: D, maxLength: D, noNaN: true, noDefaultInfinity: true });
    fc.assert(
      fc.property(vector, vector, vector, vector, (x, c, memory, y) => {
        const broadcast = Float32Array.of(...x, ...c);
        const received = { broadcast: broadcast.slice(), memory: memory.slice() };
        scaffoldDevice.prepare(received);
        scaffoldDevice.finish(received, { parameters: y.slice(), steps: 3, learningRate: 0.1 });
        expect(received).toEqual({ broadcast, memory });
      }),
    );
  });

  it("refuses a fleet of no devices", () => {
    for (const devices of [0, -1, 1.5]) expect(() => scaffold({ serverLr: 1, devices })).toThrow(RangeError);
  });
});
