import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fedAvg } from "../../../../shared/learning/algorithms/fedavg.ts";
import { type Aggregate, type AlgorithmSpec, createAlgorithm } from "../../../../shared/learning/algorithms/index.ts";

const size = 5;
const vector = fc
  .array(fc.float({ min: -10, max: 10, noNaN: true }), { minLength: size, maxLength: size })
  .map((values) => Float32Array.from(values));
const aggregates = fc.array(
  vector.map((delta): Aggregate => ({ delta, weight: 1, survivors: 1 })),
  { minLength: 1, maxLength: 6 },
);

/** What holds of every algorithm; a new one is a line here. */
const specs: readonly AlgorithmSpec[] = [
  { kind: "fedavg", serverLr: 1 },
  { kind: "fedavg", serverLr: 0.3 },
];

describe.each(specs)("$kind, server learning rate $serverLr", (spec) => {
  const algorithm = createAlgorithm(spec);

  it("goes on from a saved state exactly as it would have without stopping", () => {
    fc.assert(
      fc.property(vector, aggregates, fc.nat({ max: 6 }), (start, rounds, stopAfter) => {
        let straight = algorithm.init(start);
        let resumed = algorithm.init(start);
        rounds.forEach((aggregate, t) => {
          straight = algorithm.next(straight, aggregate);
          if (t === stopAfter) resumed = algorithm.decode(resumed.parameters.slice(), algorithm.encode(resumed));
          resumed = algorithm.next(resumed, aggregate);
        });
        expect(resumed).toEqual(straight);
      }),
    );
  });

  it("changes neither the state it is given nor the update", () => {
    const state = algorithm.init(Float32Array.of(1, 2));
    const delta = Float32Array.of(3, 4);
    const before = algorithm.encode(state);
    const after = algorithm.next(state, { delta, weight: 1, survivors: 1 });
    expect([...state.parameters, ...delta]).toEqual([1, 2, 3, 4]);
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
