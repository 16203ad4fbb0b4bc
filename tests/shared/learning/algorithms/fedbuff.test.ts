import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fedAvg } from "../../../../shared/learning/algorithms/fedavg.ts";
import { fedAvgM } from "../../../../shared/learning/algorithms/fedavgm.ts";
import { fedBuff } from "../../../../shared/learning/algorithms/fedbuff.ts";
import { scaffold } from "../../../../shared/learning/algorithms/scaffold.ts";

const SIZE = 4;
const vector = fc
  .array(fc.float({ min: -10, max: 10, noNaN: true }), { minLength: SIZE, maxLength: SIZE })
  .map((values) => Float32Array.from(values));
const aggregate = (delta: Float32Array) => ({ delta, weight: 1, survivors: 1 });

describe("FedBuff", () => {
  it("takes the inner algorithm's step, whatever it remembers", () => {
    fc.assert(
      fc.property(vector, fc.array(vector, { maxLength: 6 }), fc.nat({ max: 4 }), (start, deltas, maxStaleness) => {
        const inner = fedAvgM({ serverLr: 0.5, momentum: 0.9 });
        const buffered = fedBuff(inner, { maxStaleness });
        let plain = inner.init(start);
        let state = buffered.init(start);
        const models: Float32Array[] = [start];
        for (const delta of deltas) {
          plain = inner.next(plain, aggregate(delta));
          state = buffered.next(state, aggregate(delta));
          models.unshift(plain.parameters);
        }
        expect(buffered.broadcast(state)).toEqual(plain.parameters);
        // The models before the current one, the newest first, and no more than devices may still answer for.
        expect(buffered.earlier?.(state)).toEqual(models.slice(1, 1 + maxStaleness));
      }),
    );
  });

  it("goes on from a saved state exactly as it would have without stopping", () => {
    fc.assert(
      fc.property(vector, fc.array(vector, { minLength: 1, maxLength: 6 }), fc.nat({ max: 5 }), (start, deltas, at) => {
        const algorithm = fedBuff(fedAvg({ serverLr: 1 }), { maxStaleness: 3 });
        let straight = algorithm.init(start);
        let resumed = algorithm.init(start);
        deltas.forEach((delta, t) => {
          straight = algorithm.next(straight, aggregate(delta));
          if (t === at) resumed = algorithm.decode(resumed.parameters.slice(), algorithm.encode(resumed));
          resumed = algorithm.next(resumed, aggregate(delta));
        });
        expect(resumed).toEqual(straight);
      }),
    );
  });

  it("refuses bytes of no state, algorithms whose devices keep something, and a staleness that is none", () => {
    const algorithm = fedBuff(fedAvg({ serverLr: 1 }), { maxStaleness: 1 });
    const state = algorithm.next(algorithm.init(new Float32Array(SIZE)), aggregate(new Float32Array(SIZE)));
    const bytes = algorithm.encode(state);
    expect(() => algorithm.decode(state.parameters, bytes.subarray(0, 3))).toThrow(RangeError);
    expect(() => algorithm.decode(state.parameters, bytes.subarray(0, 10))).toThrow(RangeError);
    const forgetful = fedBuff(fedAvg({ serverLr: 1 }), { maxStaleness: 0 });
    expect(() => forgetful.decode(state.parameters, bytes)).toThrow(/1 models/);
    expect(() => fedBuff(scaffold({ serverLr: 1, devices: 3 }), { maxStaleness: 1 })).toThrow(/scaffold keep/);
    expect(() => fedBuff(fedAvg({ serverLr: 1 }), { maxStaleness: 1.5 })).toThrow(RangeError);
  });
});
