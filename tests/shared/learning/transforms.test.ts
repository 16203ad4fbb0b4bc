import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { clip, euclideanNorm } from "../../../shared/learning/transforms/clip.ts";
import {
  decodeSum,
  encodeUpdate,
  type TransformTerms,
  transformsOf,
} from "../../../shared/learning/transforms/index.ts";
import { weightByExamples } from "../../../shared/learning/transforms/weight.ts";
import { seededRandom } from "../../../shared/random/seeded-random.ts";
import { metricSlots } from "../../../shared/secagg/metric-slots.ts";
import { seededRounding } from "../../../shared/secagg/quantise.ts";

const LEVELS = 32_767;
const CAP = 60;
const slots = metricSlots({ largestExampleCount: CAP, weightCap: CAP, largestMeanLoss: 10, levels: LEVELS });
const rounding = seededRounding(seededRandom(1, "test-rounding"));

function terms(transforms: readonly string[]): TransformTerms {
  return { transforms, slots, levels: LEVELS, clip: 1 };
}

const update = (values: Float32Array, examples: number) =>
  ({ kind: "float", values, metrics: { examples, lossSum: 2 * examples, correct: 1 } }) as const;

/** What the coordinator reads from the sum of these devices' vectors. */
function aggregate(transforms: readonly string[], devices: readonly { values: Float32Array; examples: number }[]) {
  const built = transformsOf(terms(transforms));
  const sum = devices
    .map(({ values, examples }) => encodeUpdate(built, update(values.slice(), examples), { rounding }))
    .reduce((total, input) => total.map((value, i) => value + input[i]));
  return decodeSum(built, { kind: "ring", values: sum, survivors: devices.length }, { round: 1 });
}

describe("all transforms of a round, there and back over a sum", () => {
  const device = fc.record({
    values: fc
      .array(fc.float({ min: -0.5, max: 0.5, noNaN: true }), { minLength: 5, maxLength: 5 })
      .map((values) => Float32Array.from(values)),
    examples: fc.integer({ min: 1, max: CAP }),
  });

  it("give the mean weighted by examples, to within the quantiser's step", () => {
    fc.assert(
      fc.property(fc.array(device, { minLength: 1, maxLength: 20 }), (devices) => {
        const { values, metrics } = aggregate(["weight:examples:60", "quantise:16:1"], devices);
        const total = devices.reduce((sum, { examples }) => sum + examples, 0);
        for (let i = 0; i < 5; i++) {
          const mean = devices.reduce((sum, of) => sum + of.values[i] * of.examples, 0) / total;
          // Each device is off by less than a step, 1 / L; the weights sum to total / CAP.
          expect(Math.abs(values[i] - mean)).toBeLessThan((devices.length / LEVELS) * (CAP / total) + 1e-6);
        }
        expect(metrics.examples).toBe(total);
        expect(metrics.correct).toBe(devices.length);
        expect(metrics.weight).toBeCloseTo(total / CAP, 9);
      }),
    );
  });

  it("give the mean of the devices, each counted alike, with uniform weights", () => {
    fc.assert(
      fc.property(fc.array(device, { minLength: 1, maxLength: 20 }), (devices) => {
        const { values, metrics } = aggregate(["weight:uniform", "quantise:16:1"], devices);
        for (let i = 0; i < 5; i++) {
          const mean = devices.reduce((sum, of) => sum + of.values[i], 0) / devices.length;
          expect(Math.abs(values[i] - mean)).toBeLessThan(1 / LEVELS + 1e-6);
        }
        expect(metrics.weight).toBe(devices.length);
      }),
    );
  });

  it("are refused where a weight is written in another way", () => {
    for (const specification of ["weight:uniform:60", "weight:", "weight", "weight:equal:60"]) {
      expect(() => transformsOf(terms([specification, "quantise:16:1"]))).toThrow(RangeError);
    }
  });

  it("count how many updates were clipped, and never which", () => {
    const long = { values: Float32Array.of(3, 4), examples: 60 };
    const short = { values: Float32Array.of(0.3, 0), examples: 60 };
    const { values, metrics } = aggregate(["clip:0.5", "weight:examples:60", "quantise:16:1"], [long, short, long]);
    expect(metrics.clipped).toBe(2);
    expect(values[0]).toBeCloseTo((0.3 + 0.3 + 0.3) / 3, 3);
    expect(values[1]).toBeCloseTo(0.8 / 3, 3);
  });
});

describe("clipping", () => {
  it("shortens to the norm, keeps the direction, and leaves what is short enough as it is", () => {
    fc.assert(
      fc.property(fc.array(fc.float({ min: -10, max: 10, noNaN: true }), { minLength: 1 }), (list) => {
        const before = Float32Array.from(list);
        const { values, metrics } = clip(1).encode(update(before.slice(), 1), { rounding }) as ReturnType<
          typeof update
        > & {
          metrics: { clipped: number };
        };
        const norm = euclideanNorm(before);
        expect(metrics.clipped).toBe(norm > 1 ? 1 : 0);
        const factor = norm > 1 ? 1 / norm : 1;
        for (let i = 0; i < before.length; i++) expect(values[i]).toBeCloseTo(before[i] * factor, 5);
      }),
    );
  });

  it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])("to %s is refused", (norm) => {
    expect(() => clip(norm)).toThrow(RangeError);
  });
});

describe("weights", () => {
  it("never exceed 1, so that no device can outweigh what the ring was proven for", () => {
    const encoded = weightByExamples(10).encode(update(Float32Array.of(1), 1_000_000), { rounding });
    expect(encoded).toMatchObject({ values: Float32Array.of(1), metrics: { weight: 1 } });
  });

  it("of a cohort without an example move the model nowhere", () => {
    const { values } = aggregate(
      ["weight:examples:60", "quantise:16:1"],
      [{ values: Float32Array.of(0.5), examples: 0 }],
    );
    expect(values[0]).toBe(0);
  });
});

describe("an agreement's transforms", () => {
  it.each([
    [["sketch:4", "quantise:16:1"], 'no update transform "sketch"'],
    [["clip:1.0", "quantise:16:1"], "not how this transform is written"],
    [["clip:1:2", "quantise:16:1"], "not how this transform is written"],
    [["clip:", "quantise:16:1"], "clip norm"],
    [["weight:devices:60", "quantise:16:1"], "not how this transform is written"],
    [["weight:examples:0", "quantise:16:1"], "cap"],
    [["quantise:016:1"], "not how this transform is written|not the quantiser"],
    [["quantise:17:1"], "not the quantiser"],
    [["quantise:16:2"], "not the quantiser"],
    [["quantise:99:1"], "2 to 24 bits"],
    [[], "end in the ring"],
    [["clip:1"], "end in the ring"],
    [["quantise:16:1", "clip:1"], "end in the ring"],
    [["quantise:16:1", "quantise:16:1"], "end in the ring"],
  ])("%j are refused", (transforms, reason) => {
    expect(() => transformsOf(terms(transforms))).toThrow(new RegExp(reason));
    expect(() => transformsOf(terms(transforms))).toThrow(RangeError);
  });

  it("are the same text when they are built again", () => {
    const agreed = ["clip:0.75", "weight:examples:60", "quantise:16:1"];
    expect(transformsOf(terms(agreed)).map(({ specification }) => specification)).toEqual(agreed);
  });
});

describe("weighting by staleness", () => {
  const [staleness, quantiser] = transformsOf(terms(["staleness:4", "quantise:16:1"]));
  const values = Float32Array.of(0.5, -0.25);
  const encoded = (s: number | undefined) => {
    const context = s === undefined ? { rounding } : { rounding, staleness: s };
    const result = staleness.encode(update(values.slice(), 10), context);
    if (result.kind !== "float") throw new Error("it comes before the ring");
    return result;
  };

  it("shrinks an update of s models ago to 1 / sqrt(1 + s) of itself, and leaves its metrics", () => {
    expect(encoded(undefined).values).toEqual(values);
    expect(encoded(0).values).toEqual(values);
    expect([...encoded(3).values]).toEqual([0.25, -0.125]);
    expect(encoded(3).metrics).toEqual(update(values, 10).metrics);
    expect(quantiser.specification).toBe("quantise:16:1");
  });

  it("refuses what is older than was agreed, and terms that say nothing", () => {
    expect(() => encoded(5)).toThrow(/5 models ago/);
    expect(() => transformsOf(terms(["staleness:-1", "quantise:16:1"]))).toThrow(RangeError);
    expect(() => transformsOf(terms(["staleness:04", "quantise:16:1"]))).toThrow(/not how this transform is written/);
  });
});
