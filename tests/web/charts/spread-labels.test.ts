import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { spreadLabels } from "../../../web/charts/spread-labels.ts";

const LOW = 10;
const HIGH = 340;
const GAP = 16;

const wanted = (most: number) =>
  fc.array(fc.double({ min: -50, max: 400, noNaN: true }), { minLength: 1, maxLength: most });
const spread = (heights: readonly number[]): number[] =>
  spreadLabels(
    heights.map((y) => ({ y })),
    GAP,
    LOW,
    HIGH,
  );

describe("labels at the ends of lines", () => {
  it("never cover each other", () => {
    fc.assert(
      fc.property(wanted(60), (heights) => {
        const sorted = spread(heights).sort((a, b) => a - b);
        for (let i = 1; i < sorted.length; i++) expect(sorted[i] - sorted[i - 1]).toBeGreaterThan(GAP - 1e-6);
      }),
    );
  });

  it("stay within the bounds where there is room for all of them", () => {
    fc.assert(
      fc.property(wanted(Math.floor((HIGH - LOW) / GAP) + 1), (heights) => {
        for (const height of spread(heights)) {
          expect(height).toBeGreaterThan(LOW - 1e-6);
          expect(height).toBeLessThan(HIGH + 1e-6);
        }
      }),
    );
  });

  it("keep the order of what they name", () => {
    fc.assert(
      fc.property(wanted(30), (heights) => {
        const result = spread(heights);
        for (let i = 0; i < heights.length; i++)
          for (let j = 0; j < heights.length; j++)
            if (heights[i] < heights[j]) expect(result[i]).toBeLessThan(result[j]);
      }),
    );
  });

  it("stand where they want to when nothing is in the way", () => {
    expect(spread([200, 40, 100])).toEqual([200, 40, 100]);
    expect(spread([100, 100])).toEqual([100, 116]);
    expect(spread([340, 340])).toEqual([324, 340]);
  });
});
