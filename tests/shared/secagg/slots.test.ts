import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { metricSlots } from "../../../shared/secagg/metric-slots.ts";
import { createSlotTable, decodeSlots, encodeSlots, MetricRangeError } from "../../../shared/secagg/slots.ts";

const table = createSlotTable([
  { name: "examples", max: 600, scale: 1, excess: "error" },
  { name: "lossSum", max: 100, scale: 64, excess: "clamp" },
]);

const encode = (metrics: { examples?: number; lossSum?: number }) => {
  const target = Int32Array.of(7, 7, 7, 7, 7);
  encodeSlots(table, metrics, target, 2);
  return Array.from(target);
};

describe("a metric", () => {
  it("stands behind the update's coordinates, in its slot's units, and touches nothing else", () => {
    expect(encode({ examples: 512, lossSum: 1.5 })).toEqual([7, 7, 512, 96, 7]);
  });

  it("is rounded to the nearest unit", () => {
    expect(encode({ lossSum: 1 / 64 - 1e-9 })[3]).toBe(1);
    expect(encode({ lossSum: 0.49 / 64 })[3]).toBe(0);
    expect(encode({ lossSum: 0.5 / 64 })[3]).toBe(1);
  });

  it("that a device does not report is zero", () => {
    expect(encode({})).toEqual([7, 7, 0, 0, 7]);
  });

  it("beyond its bounds is clamped where its slot says so", () => {
    expect(encode({ lossSum: 1e9 })[3]).toBe(6400);
    expect(encode({ lossSum: -3 })[3]).toBe(0);
  });

  it.each([601, -1])("beyond its bounds ends the device's round where its slot says so: %f", (examples) => {
    expect(() => encode({ examples })).toThrow(MetricRangeError);
    expect(() => encode({ examples })).toThrow('The metric "examples" is not a number from 0 to 600.');
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])("is never %f, not even clamped", (bad) => {
    expect(() => encode({ lossSum: bad })).toThrow(MetricRangeError);
    expect(() => encode({ examples: bad })).toThrow(MetricRangeError);
  });

  it("does not fit where there is no coordinate for it", () => {
    expect(() => encodeSlots(table, {}, new Int32Array(3), 2)).toThrow(RangeError);
    expect(() => decodeSlots(table, new Int32Array(3), 2)).toThrow(RangeError);
  });
});

describe("the sums", () => {
  it("of counts are exact, and of any other metric right within half a unit a device", () => {
    const devices = fc.array(
      fc.record({ examples: fc.nat(600), lossSum: fc.double({ min: 0, max: 100, noNaN: true }) }),
      { minLength: 1, maxLength: 30 },
    );
    fc.assert(
      fc.property(devices, (all) => {
        const sum = new Int32Array(2);
        for (const metrics of all) {
          const own = new Int32Array(2);
          encodeSlots(table, metrics, own, 0);
          own.forEach((value, i) => {
            sum[i] += value;
          });
        }
        const decoded = decodeSlots(table, sum, 0);
        expect(decoded.examples).toBe(all.reduce((total, { examples }) => total + examples, 0));
        const lossSum = all.reduce((total, metrics) => total + metrics.lossSum, 0);
        expect(Math.abs(decoded.lossSum - lossSum)).toBeLessThanOrEqual(all.length / 128 + 1e-9);
      }),
    );
  });
});

describe("a table", () => {
  it("knows the largest value that any slot can send, for the ring's bound", () => {
    expect(table.largest).toBe(6400);
    expect(createSlotTable([]).largest).toBe(0);
  });

  it.each([
    [[slot({}), slot({})], "declared twice"],
    [[slot({ max: 0 })], "positive"],
    [[slot({ max: Number.NaN })], "positive"],
    [[slot({ scale: 0 })], "positive"],
    [[slot({ scale: Number.POSITIVE_INFINITY })], "positive"],
    [[slot({ max: 2 ** 31 })], "beyond 2^31 - 1"],
  ])("is refused before a round when it cannot work", (slots, sentence) => {
    expect(() => createSlotTable(slots)).toThrow(sentence);
  });
});

describe("the slots of a round", () => {
  it("keep counts and weights exact and do not widen the ring of the update", () => {
    const slots = metricSlots({ largestExampleCount: 600, weightCap: 600, largestMeanLoss: 10, levels: 32_767 });
    expect(slots.largest).toBeLessThanOrEqual(32_767);
    const target = new Int32Array(5);
    encodeSlots(slots, { weight: 421 / 600, examples: 421, lossSum: 512.25, correct: 400, clipped: 1 }, target, 0);
    const decoded = decodeSlots(slots, target, 0);
    expect(decoded).toEqual({ weight: 421 / 600, examples: 421, lossSum: 512.25, correct: 400, clipped: 1 });
  });

  it("never let a device weigh more than one", () => {
    const slots = metricSlots({ largestExampleCount: 600, weightCap: 600, largestMeanLoss: 10, levels: 32_767 });
    expect(() => encodeSlots(slots, { weight: 1.01 }, new Int32Array(5), 0)).toThrow(MetricRangeError);
  });
});

function slot(wrong: { max?: number; scale?: number }) {
  return { name: "a", max: 1, scale: 1, excess: "clamp" as const, ...wrong };
}
