import { describe, expect, it } from "vitest";
import { type AdaptiveKind, adaptive } from "../../../../shared/learning/algorithms/adaptive.ts";
import type { Algorithm, AlgorithmState } from "../../../../shared/learning/algorithms/algorithm.ts";
import { fedAvg } from "../../../../shared/learning/algorithms/fedavg.ts";
import { fedAvgM } from "../../../../shared/learning/algorithms/fedavgm.ts";
import { seededRandom } from "../../../../shared/random/seeded-random.ts";

const D = 7;
const ROUNDS = 30;

/** Updates of thirty rounds, some of them exactly zero. */
const deltas = Array.from({ length: ROUNDS }, (_, t) => {
  const random = seededRandom(3, "test-updates", t);
  return Float32Array.from({ length: D }, (_, i) => (i === 0 && t % 3 === 0 ? 0 : random.below(2001) / 1000 - 1));
});
const start = Float32Array.from({ length: D }, (_, i) => i / 4 - 1);

function play<State extends AlgorithmState>(algorithm: Algorithm<State>): State[] {
  const states = [algorithm.init(start)];
  for (const delta of deltas)
    states.push(algorithm.next(states[states.length - 1], { delta, weight: 1, survivors: 9 }));
  return states;
}

/** Within what single precision loses in so many rounds. */
function expectClose(found: Float32Array, wanted: readonly number[]): void {
  for (const [i, value] of wanted.entries()) {
    expect(Math.abs(found[i] - value)).toBeLessThan(2e-5 * Math.max(1, Math.abs(value)));
  }
}

describe("FedAvgM, against v ← β v + Δ, w ← w + η v in double precision", () => {
  it("over thirty rounds", () => {
    const states = play(fedAvgM({ serverLr: 0.3, momentum: 0.9 }));
    const w = [...start];
    const v = new Array<number>(D).fill(0);
    deltas.forEach((delta, t) => {
      for (let i = 0; i < D; i++) {
        v[i] = 0.9 * v[i] + delta[i];
        w[i] += 0.3 * v[i];
      }
      expectClose(states[t + 1].velocity, v);
      expectClose(states[t + 1].parameters, w);
    });
  });

  it("by hand: two updates of 1 at β = 0.5 go 1, then 1.5", () => {
    const algorithm = fedAvgM({ serverLr: 1, momentum: 0.5 });
    const one = { delta: Float32Array.of(1), weight: 1, survivors: 1 };
    const first = algorithm.next(algorithm.init(Float32Array.of(10)), one);
    expect([...first.parameters]).toEqual([11]);
    expect([...algorithm.next(first, one).parameters]).toEqual([12.5]);
  });

  it("without momentum is FedAvg, bit for bit", () => {
    const plain = play(fedAvg({ serverLr: 0.3 }));
    play(fedAvgM({ serverLr: 0.3, momentum: 0 })).forEach(({ parameters }, t) => {
      expect(parameters).toEqual(plain[t].parameters);
    });
  });

  it.each([-0.1, 1, Number.NaN])("refuses momentum of %d", (momentum) => {
    expect(() => fedAvgM({ serverLr: 1, momentum })).toThrow(RangeError);
  });
});

/** Algorithm 2's three lines for v_t, as they are printed. */
const PRINTED: Readonly<Record<AdaptiveKind, (v: number, delta: number, beta2: number) => number>> = {
  fedadagrad: (v, delta) => v + delta ** 2,
  fedyogi: (v, delta, beta2) => v - (1 - beta2) * delta ** 2 * Math.sign(v - delta ** 2),
  fedadam: (v, delta, beta2) => beta2 * v + (1 - beta2) * delta ** 2,
};

describe.each(["fedadagrad", "fedyogi", "fedadam"] as const)("%s, against Algorithm 2 in double precision", (kind) => {
  it.each([
    { beta1: 0.9, beta2: 0.99, tau: 1e-3 },
    { beta1: 0, beta2: 0.5, tau: 0.1 },
  ])("over thirty rounds with %j", ({ beta1, beta2, tau }) => {
    const states = play(adaptive({ kind, serverLr: 0.05, beta1, beta2, tau }));
    const x = [...start];
    const m = new Array<number>(D).fill(0);
    const v = new Array<number>(D).fill(tau ** 2);
    deltas.forEach((delta, t) => {
      for (let i = 0; i < D; i++) {
        m[i] = beta1 * m[i] + (1 - beta1) * delta[i];
        v[i] = PRINTED[kind](v[i], delta[i], beta2);
        x[i] += (0.05 * m[i]) / (Math.sqrt(v[i]) + tau);
      }
      expectClose(states[t + 1].mean, m);
      expectClose(states[t + 1].variance, v);
      expectClose(states[t + 1].parameters, x);
    });
  });

  it("moves a parameter that is never updated nowhere", () => {
    const algorithm = adaptive({ kind, serverLr: 1, beta1: 0.9, beta2: 0.99, tau: 1e-3 });
    const nothing = { delta: new Float32Array(1), weight: 1, survivors: 1 };
    let state = algorithm.init(Float32Array.of(3));
    for (let t = 0; t < 10; t++) state = algorithm.next(state, nothing);
    expect([...state.parameters]).toEqual([3]);
  });

  it.each([{ beta1: 1 }, { beta2: -1 }, { tau: 0 }, { serverLr: 0 }])("refuses %j", (wrong) => {
    const right = { kind, serverLr: 1, beta1: 0.9, beta2: 0.99, tau: 1e-3 };
    expect(() => adaptive({ ...right, ...wrong })).toThrow(RangeError);
  });
});

describe("the first step by hand", () => {
  // τ = 1 and Δ = 2, so v_{−1} = 1 and Δ² = 4.
  const first = (kind: AdaptiveKind) => {
    const algorithm = adaptive({ kind, serverLr: 1, beta1: 0.5, beta2: 0.75, tau: 1 });
    const state = algorithm.init(Float32Array.of(0));
    return algorithm.next(state, { delta: Float32Array.of(2), weight: 1, survivors: 1 });
  };

  it.each([
    ["fedadagrad", 5],
    // 1 − 0.25 · 4 · sign(1 − 4)
    ["fedyogi", 2],
    // 0.75 · 1 + 0.25 · 4
    ["fedadam", 1.75],
  ] as const)("%s", (kind, variance) => {
    const { parameters, variance: found } = first(kind);
    expect([...found]).toEqual([variance]);
    expect(parameters[0]).toBe(Math.fround(1 / (Math.sqrt(variance) + 1)));
  });
});
