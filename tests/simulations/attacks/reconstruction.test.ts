import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { twoNN } from "../../../shared/learning/models/two-nn.ts";
import type { AttackTarget } from "../../../simulations/attacks/attack.ts";
import { looksLikeTrap } from "../../../simulations/attacks/imprint.ts";
import { ATTACKS } from "../../../simulations/attacks/index.ts";
import { matchPictures, psnr, recoveredShare } from "../../../simulations/attacks/pictures.ts";
import { initialTarget, options } from "./attacked.ts";

let target: AttackTarget;
beforeAll(async () => {
  target = await initialTarget();
});

describe("the closed-form inversion", () => {
  it("gives one device's picture back at 60 dB and more, through 16 bits, and most of a sum of ten", async () => {
    const { figures, pictures } = await ATTACKS.invert.run(target, options());
    expect(figures.single_psnr).toBeGreaterThanOrEqual(60);
    expect(figures.sum_1).toBe(1);
    expect(figures.sum_10).toBeGreaterThanOrEqual(0.6);
    expect(figures.sum_100).toBeLessThan(0.1);
    for (const count of [1, 10, 100]) expect(figures[`sum_${count}_noise_0.1`]).toBe(0);
    expect(pictures[0].original).toHaveLength(784);
  });

  it("says of a model that does not begin with a dense layer that it cannot be inverted so", async () => {
    const convolutions = await initialTarget("cnn");
    await expect(ATTACKS.invert.run(convolutions, options())).rejects.toThrow(/does not begin with a dense layer/);
  });
});

describe("the imprint", () => {
  it("reads at least 85 of 100 pictures from their exact sum, and none with noise of a tenth", async () => {
    const { figures, rows } = await ATTACKS.imprint.run(target, options());
    expect(figures.no_noise).toBeGreaterThanOrEqual(0.85);
    expect(figures["noise_0.1"]).toBe(0);
    expect(rows.at(-1)?.at(-1)).toMatch(/refuses/);
  });

  it("is seen by a device that looks at the model first; a model that was trained or drawn is not taken for one", () => {
    expect(looksLikeTrap(target.parameters, twoNN)).toBe(false);
    expect(looksLikeTrap(new Float32Array(target.parameters.length).fill(0.1), twoNN)).toBe(true);
  });
});

describe("the label leak", () => {
  it("reads one device's labels, and of the sum nobody's own", async () => {
    const { figures } = await ATTACKS.label.run(target, options({ devices: 40 }));
    expect(figures.single).toBeLessThan(0.1);
    expect(figures.cohort).toBeLessThan(0.1);
    expect(figures.cohort_as_guess).toBeGreaterThan(0.5);
    expect(figures.cohort_noised).toBeGreaterThan(figures.cohort);
  });
});

describe("pictures", () => {
  const picture = fc
    .array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 4, maxLength: 4 })
    .map((values) => Float32Array.from(values));

  it("have a signal-to-noise ratio that is infinite of themselves, and 0 dB of black for white", () => {
    expect(psnr([0, 0.5, 1], [0, 0.5, 1])).toBe(Number.POSITIVE_INFINITY);
    expect(psnr([1, 1, 1, 1], [0, 0, 0, 0])).toBe(0);
    expect(psnr([0.5, 0.5], [0.6, 0.4])).toBeCloseTo(20, 9);
  });

  it("are matched one to one, whatever they are, and a copy of one does not count for another", () => {
    fc.assert(
      fc.property(
        fc.array(picture, { minLength: 1, maxLength: 6 }),
        fc.array(picture, { maxLength: 6 }),
        (originals, recovered) => {
          const matches = matchPictures(originals, recovered);
          expect(matches).toHaveLength(Math.min(originals.length, recovered.length));
          expect(new Set(matches.map(({ original }) => original)).size).toBe(matches.length);
          expect(new Set(matches.map(({ recovered: place }) => place)).size).toBe(matches.length);
          expect(recoveredShare(matches, originals.length, -1000)).toBeLessThanOrEqual(1);
        },
      ),
    );
    const [a, b] = [Float32Array.of(0, 0, 1, 1), Float32Array.of(1, 1, 0, 0)];
    expect(recoveredShare(matchPictures([a, b], [a, a]), 2, 30)).toBe(0.5);
  });
});
