import { describe, expect, it } from "vitest";
import { createDeviceModel, trainingTime } from "../../../../simulations/fleet/model/device-model.ts";
import { DEVICE_TIERS } from "../../../../simulations/fleet/model/device-tiers.ts";

const [flagship, mid, low] = DEVICE_TIERS;
const EXAMPLES = { examples: 600, batch: 10, epochs: 1 };
const CNN = { ...EXAMPLES, forwardMacs: 12_273_152 };
const TWO_NN = { ...EXAMPLES, forwardMacs: 198_800 };

describe("the time that a phone trains for", () => {
  // 600 examples, E = 1, B = 10, arithmetic alone, from the measured batches of the LEAF CNN (FLASH).
  it.each([
    [flagship, 7.7, 0.12, 27],
    [mid, 25, 0.41, 63],
    [low, 70, 1.1, 126],
  ])("is that of measured batches ($name)", (tier, cnnSeconds, twoNNSeconds, joules) => {
    const arithmetic = { ...tier, batchOverhead: 0, throttledRate: 1 };
    const cnn = trainingTime(arithmetic, tier.rate, CNN, 1) / 1000;
    expect(Math.abs(cnn / cnnSeconds - 1)).toBeLessThan(0.025);
    expect(Math.abs(trainingTime(arithmetic, tier.rate, TWO_NN, 1) / 1000 / twoNNSeconds - 1)).toBeLessThan(0.035);
    expect(Math.abs((tier.trainingPower * cnn) / joules - 1)).toBeLessThan(0.035);
  });

  it("is a batch's 179, 588 and 1,642 ms for the LEAF CNN itself", () => {
    const batch = { forwardMacs: 17_211_904, examples: 10, batch: 10, epochs: 1 };
    const times = DEVICE_TIERS.map((tier) => trainingTime({ ...tier, batchOverhead: 0 }, tier.rate, batch, 1));
    for (const [i, measured] of [179, 588, 1_642].entries()) {
      expect(Math.abs(times[i] / measured - 1)).toBeLessThan(0.03);
    }
  });

  it("counts a started batch as a whole one, its overhead, and every epoch", () => {
    const work = { forwardMacs: 1e6, batch: 10, epochs: 3 };
    expect(trainingTime(flagship, 6e9, { ...work, examples: 20 }, 1)).toBeCloseTo(2 * 3 * (2 + 10), 9);
    expect(trainingTime(flagship, 6e9, { ...work, examples: 21 }, 1)).toBeCloseTo(3 * 3 * (2 + 10), 9);
    expect(trainingTime(flagship, 6e9, { ...work, examples: 0 }, 1)).toBe(0);
  });

  it("grows once the phone is warm", () => {
    const cool = { ...low, batchOverhead: 0 };
    // 100 s of work: 60 s at the full rate, the rest at 0.65 of it.
    const work = { forwardMacs: 1e9, batch: 1, epochs: 1, examples: 100 };
    expect(trainingTime(cool, 6e9, work, 1)).toBeCloseTo(60_000 + 40_000 / 0.65, 6);
    expect(trainingTime(cool, 6e9, { ...work, examples: 60 }, 1)).toBeCloseTo(60_000, 6);
    expect(trainingTime(cool, 6e9, { ...work, examples: 50 }, 1.4)).toBeCloseTo(60_000 + 10_000 / 0.65, 6);
  });
});

describe("a fleet's devices", () => {
  const model = createDeviceModel({ seed: 1, era: 1 });
  const devices = Array.from({ length: 40_000 }, (_, device) => device);

  it("come in the tiers' shares, with the tiers' rates", () => {
    for (const tier of DEVICE_TIERS) {
      const rates = devices
        .filter((device) => model.tier(device) === tier)
        .map((device) => Math.log(model.rate(device)));
      expect(Math.abs(rates.length / devices.length - tier.share)).toBeLessThan(0.01);
      const { mean, deviation } = moments(rates);
      expect(Math.abs(mean - Math.log(tier.rate))).toBeLessThan(0.02);
      expect(Math.abs(deviation - tier.rateLogDeviation)).toBeLessThan(0.01);
    }
  });

  it("differ as 333 phone models do: log deviation 0.92 to 0.93", () => {
    const { deviation } = moments(devices.map((device) => Math.log(model.rate(device))));
    expect(Math.abs(deviation - 0.92)).toBeLessThan(0.015);
  });

  it("take a task's time with a jitter of their own, drawn anew for each round", () => {
    const device = devices.findIndex((index) => model.tier(index) === low);
    const work = { forwardMacs: 1e4, batch: 10, epochs: 1, examples: 600 };
    const typical = trainingTime(low, model.rate(device), work, 1);
    const times = Array.from({ length: 5_000 }, (_, round) =>
      Math.log(model.trainingTime(device, round, work) / typical),
    );
    const { mean, deviation } = moments(times);
    expect(Math.abs(mean)).toBeLessThan(0.01);
    expect(Math.abs(deviation - 0.2)).toBeLessThan(0.01);
    expect(model.trainingTime(device, 7, work)).toBe(model.trainingTime(device, 7, work));
  });

  it("are faster by the era's factor, masks included", () => {
    const modern = createDeviceModel({ seed: 1, era: 3 });
    for (const device of [0, 1, 2, 3]) {
      expect(modern.rate(device)).toBe(3 * model.rate(device));
      expect(modern.maskingTime(device, 1e6)).toBeCloseTo(model.maskingTime(device, 1e6) / 3, 9);
    }
  });

  // The same on every host: no value may ever change.
  it("are these, for ever", () => {
    const drawn = [0, 1, 2, 999_999].map((device) => [model.tier(device).name, model.rate(device)]);
    expect(drawn).toEqual([
      ["low", 844364991.560596],
      ["low", 708573784.526962],
      ["low", 579435829.11022],
      ["mid", 1879438994.728742],
    ]);
  });

  it("are others for another seed", () => {
    const other = createDeviceModel({ seed: 2, era: 1 });
    expect(devices.filter((device) => other.rate(device) === model.rate(device))).toEqual([]);
  });
});

function moments(values: readonly number[]): { mean: number; deviation: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  return { mean, deviation: Math.sqrt(variance) };
}
