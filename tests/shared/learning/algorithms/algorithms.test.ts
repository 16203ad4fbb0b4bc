import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fedAvg } from "../../../../shared/learning/algorithms/fedavg.ts";
import { fedProx } from "../../../../shared/learning/algorithms/fedprox.ts";
import {
  type Aggregate,
  type Algorithm,
  type AlgorithmSpec,
  type AlgorithmState,
  createAlgorithm,
} from "../../../../shared/learning/algorithms/index.ts";

const size = 5;
const vector = fc
  .array(fc.float({ min: -10, max: 10, noNaN: true }), { minLength: size, maxLength: size })
  .map((values) => Float32Array.from(values));
/** Sums of up to six rounds, each with as many values as the widest broadcast. */
const sums = fc.array(fc.tuple(vector, vector), { minLength: 1, maxLength: 6 });

/** The aggregate of a round on this state, from as many of the values as its broadcast has. */
function aggregateFor(
  algorithm: Algorithm,
  state: AlgorithmState,
  [first, second]: [Float32Array, Float32Array],
): Aggregate {
  const delta = Float32Array.of(...first, ...second).subarray(0, algorithm.broadcast(state).length);
  return { delta, weight: 1, survivors: 1 };
}

/** What holds of every algorithm; a new one is a line here. */
const specs: readonly AlgorithmSpec[] = [
  { kind: "fedavg", serverLr: 1 },
  { kind: "fedavg", serverLr: 0.3 },
  { kind: "fedprox", serverLr: 1, mu: 0.1 },
  { kind: "fedavgm", serverLr: 0.5, momentum: 0.9 },
  { kind: "fedadagrad", serverLr: 0.1, beta1: 0, beta2: 0, tau: 1e-3 },
  { kind: "fedyogi", serverLr: 0.1, beta1: 0.9, beta2: 0.99, tau: 1e-3 },
  { kind: "fedadam", serverLr: 0.1, beta1: 0.9, beta2: 0.99, tau: 1e-3 },
  { kind: "scaffold", serverLr: 0.7, devices: 3 },
];

describe.each(specs)("$kind, server learning rate $serverLr", (spec) => {
  const algorithm = createAlgorithm(spec);

  it("goes on from a saved state exactly as it would have without stopping", () => {
    fc.assert(
      fc.property(vector, sums, fc.nat({ max: 6 }), (start, rounds, stopAfter) => {
        let straight = algorithm.init(start);
        let resumed = algorithm.init(start);
        rounds.forEach((values, t) => {
          const aggregate = aggregateFor(algorithm, straight, values);
          straight = algorithm.next(straight, aggregate);
          if (t === stopAfter) resumed = algorithm.decode(resumed.parameters.slice(), algorithm.encode(resumed));
          resumed = algorithm.next(resumed, aggregate);
        });
        expect(resumed).toEqual(straight);
        expect(algorithm.encode(resumed)).toEqual(algorithm.encode(straight));
        expect(algorithm.broadcast(resumed)).toEqual(algorithm.broadcast(straight));
      }),
    );
  });

  it("changes neither the state it is given nor the update", () => {
    const state = algorithm.init(Float32Array.of(1, 2));
    const { delta } = aggregateFor(algorithm, state, [Float32Array.of(3, 4), Float32Array.of(5, 6)]);
    const before = algorithm.encode(state);
    const after = algorithm.next(state, { delta, weight: 1, survivors: 1 });
    expect([...state.parameters]).toEqual([1, 2]);
    expect([...delta]).toEqual([3, 4, 5, 6].slice(0, delta.length));
    expect(algorithm.encode(state)).toEqual(before);
    expect(after.parameters).not.toBe(state.parameters);
  });

  it("refuses an update of another length, and bytes that are no state", () => {
    const state = algorithm.init(Float32Array.of(1, 2));
    expect(() => algorithm.next(state, { delta: Float32Array.of(1), weight: 1, survivors: 1 })).toThrow(RangeError);
    expect(() => algorithm.decode(state.parameters, Uint8Array.of(1, 2, 3, 4, 5, 6, 7))).toThrow(RangeError);
  });
});

describe("FedAvg", () => {
  it("at server learning rate 1 gives the weighted mean of the devices' models", () => {
    // Two devices of 600 and 200 examples that trained 0 to 4 and to −4: (600 · 4 − 200 · 4) / 800.
    const delta = Float32Array.of((600 * 4 + 200 * -4) / 800);
    const algorithm = fedAvg({ serverLr: 1 });
    const after = algorithm.next(algorithm.init(Float32Array.of(10)), { delta, weight: 800, survivors: 2 });
    expect([...after.parameters]).toEqual([12]);
  });

  it("scales the step, not the model, by the server learning rate, and rounds once", () => {
    const algorithm = fedAvg({ serverLr: 0.1 });
    const [w, d] = [Math.fround(0.7), Math.fround(0.3)];
    const after = algorithm.next(algorithm.init(Float32Array.of(w)), {
      delta: Float32Array.of(d),
      weight: 1,
      survivors: 1,
    });
    expect(after.parameters[0]).toBe(Math.fround(w + 0.1 * d));
  });

  it("refuses a learning rate that is not a positive number", () => {
    for (const serverLr of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => fedAvg({ serverLr })).toThrow(RangeError);
    }
  });
});

describe("FedProx", () => {
  it("has devices add the proximal term, and averages as FedAvg does", () => {
    const delta = Float32Array.of(0.3, -0.7);
    const [prox, avg] = [fedProx({ mu: 0.1, serverLr: 0.5 }), fedAvg({ serverLr: 0.5 })];
    const start = Float32Array.of(1, 2);
    expect(prox.training).toEqual({ proximalMu: 0.1 });
    expect(prox.next(prox.init(start), { delta, weight: 1, survivors: 1 })).toEqual(
      avg.next(avg.init(start), { delta, weight: 1, survivors: 1 }),
    );
  });

  it("with mu 0 asks devices for nothing, and with less refuses", () => {
    expect(fedProx({ mu: 0, serverLr: 1 }).training).toEqual({});
    for (const mu of [-0.1, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => fedProx({ mu, serverLr: 1 })).toThrow(RangeError);
    }
  });
});
