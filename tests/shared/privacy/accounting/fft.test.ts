import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { inverseRealTransform, realTransform, transformLength } from "../../../../shared/privacy/accounting/fft.ts";

const signals = fc
  .constantFrom(4, 6, 8, 12, 16, 24, 32, 48, 96, 128, 192)
  .chain((length) => fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: length, maxLength: length }))
  .map((values) => Float64Array.from(values));

describe("the real Fourier transform", () => {
  it("is the sum that defines it", () => {
    fc.assert(
      fc.property(signals, (values) => {
        const { real, imaginary } = realTransform(values);
        const n = values.length;
        expect(real).toHaveLength(n / 2 + 1);
        for (let k = 0; k <= n / 2; k++) {
          let a = 0;
          let b = 0;
          for (let j = 0; j < n; j++) {
            a += values[j] * Math.cos((2 * Math.PI * ((j * k) % n)) / n);
            b -= values[j] * Math.sin((2 * Math.PI * ((j * k) % n)) / n);
          }
          expect(Math.abs(real[k] - a)).toBeLessThan(1e-13);
          expect(Math.abs(imaginary[k] - b)).toBeLessThan(1e-13);
        }
      }),
    );
  });

  it.each([4, 6, 4096, 6144, 2 ** 18, 3 * 2 ** 16])("of %d numbers is undone by its inverse", (length) => {
    let state = 1;
    const values = Float64Array.from({ length }, () => {
      state = (state * 48271) % 2147483647;
      return state / 2147483647 - 0.5;
    });
    const back = inverseRealTransform(realTransform(values));
    let worst = 0;
    for (let i = 0; i < length; i++) worst = Math.max(worst, Math.abs(back[i] - values[i]));
    expect(worst).toBeLessThan(3e-15);
  });

  it("takes the next length that it knows", () => {
    expect([1, 4, 5, 7, 9, 13, 17, 100, 1000].map(transformLength)).toEqual([4, 4, 6, 8, 12, 16, 24, 128, 1024]);
    expect(() => realTransform(new Float64Array(10))).toThrow(RangeError);
  });
});
