import { describe, expect, it } from "vitest";
import { meanInterval } from "../../../shared/statistics/mean-interval.ts";
import { median } from "../../../shared/statistics/median.ts";

describe("the 95 % interval of a mean", () => {
  it("of three values is theirs by hand", () => {
    // Mean 2, standard deviation 1, t(0.975; 2) = 4.302653: 4.302653 / √3 = 2.484138.
    const { mean, low, high } = meanInterval([1, 2, 3]);
    expect(mean).toBe(2);
    expect(low).toBeCloseTo(2 - 2.484138, 4);
    expect(high).toBeCloseTo(2 + 2.484138, 4);
  });

  // t(0.975; ν) as tables have it (Abramowitz and Stegun, table 26.10).
  it.each([
    [1, 12.7062],
    [2, 4.3027],
    [3, 3.1824],
    [4, 2.7764],
    [5, 2.5706],
    [9, 2.2622],
    [10, 2.2281],
    [11, 2.201],
    [12, 2.1788],
    [20, 2.086],
    [30, 2.0423],
    [60, 2.0003],
    [120, 1.9799],
  ])("has the width of Student's t with %i degrees of freedom", (freedom, quantile) => {
    const count = freedom + 1;
    // Half of them 1 and half −1, but for one 0 where they are odd.
    const values = Array.from({ length: count }, (_, i): number =>
      i === count - 1 && count % 2 === 1 ? 0 : i % 2 === 0 ? 1 : -1,
    );
    const deviation = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / freedom);
    const { mean, high } = meanInterval(values);
    expect(mean).toBe(0);
    expect((high! * Math.sqrt(count)) / deviation).toBeCloseTo(quantile, 3);
  });

  it("of one value does not exist, and of equal ones is a point", () => {
    expect(meanInterval([0.9])).toEqual({ mean: 0.9 });
    expect(meanInterval([0.5, 0.5, 0.5])).toEqual({ mean: 0.5, low: 0.5, high: 0.5 });
  });
});

describe("the median", () => {
  it("is the middle value, or the mean of the two in the middle, by size and not by spelling", () => {
    expect(median([10, 9, 100])).toBe(10);
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(median([])).toBeNaN();
  });

  it("leaves its argument as it is", () => {
    const values = [3, 1, 2];
    median(values);
    expect(values).toEqual([3, 1, 2]);
  });
});
