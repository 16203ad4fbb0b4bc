import { describe, expect, it } from "vitest";
import { normalQuantile } from "../../../shared/random/normal-quantile.ts";

describe("the standard normal quantile", () => {
  // Python 3.11, statistics.NormalDist().inv_cdf, and the paper's three test values.
  it.each([
    [0.25, -0.6744897501960817],
    [0.001, -3.090232306167813],
    [1e-20, -9.262340089798405],
    [0.5, 0],
    [0.925, 1.439531470938456],
    [0.9250001, 1.4395321773759004],
    [0.0749, -1.4402382675279632],
    [0.999999, 4.753424308817089],
    [1e-11, -6.706023155495136],
    [1.3e-11, -6.66761145651074],
    [0.3, -0.5244005127080407],
    [2 ** -33, -6.337957754553789],
    [1 - 2 ** -33, 6.337957754553789],
  ])("of %f is %f", (p, z) => {
    expect(normalQuantile(p)).toBeCloseTo(z, 13);
  });

  it("is odd about one half and grows", () => {
    let last = Number.NEGATIVE_INFINITY;
    for (let i = 1; i < 1024; i++) {
      const z = normalQuantile(i / 1024);
      expect(z).toBeGreaterThan(last);
      expect(normalQuantile(1 - i / 1024)).toBeCloseTo(-z, 13);
      last = z;
    }
  });
});
