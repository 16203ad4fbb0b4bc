import { describe, expect, it } from "vitest";
import { cryptoProvider } from "../../../shared/crypto/node-provider.ts";
import {
  decodeSum,
  encodeUpdate,
  type TransformTerms,
  transformsOf,
  wrapsAround,
} from "../../../shared/learning/transforms/index.ts";
import { distributedEncoding } from "../../../shared/privacy/mechanisms/distributed-encoding.ts";
import { noiseLaw } from "../../../shared/privacy/noise/noise-law.ts";
import { type NoiseWords, seededWords, systemWords } from "../../../shared/privacy/noise/noise-words.ts";
import { seededRandom } from "../../../shared/random/seeded-random.ts";
import { seededRounding } from "../../../shared/secagg/quantise.ts";
import { createSlotTable } from "../../../shared/secagg/slots.ts";

const CLIP = 0.5;
const BITS = 16;
const rounding = seededRounding(seededRandom(1, "rounding"));
const system = systemWords(cryptoProvider.random);

function terms(transforms: readonly string[]): TransformTerms {
  return { transforms, slots: createSlotTable([]), levels: 1, clip: CLIP };
}

function setting(coordinates: number, devices: number, noiseMultiplier: number, kind = "gaussian") {
  const encoding = distributedEncoding({
    coordinates,
    clip: CLIP,
    noiseMultiplier,
    bits: BITS,
    roster: devices,
    counted: devices,
  });
  const { scale, shareVariance } = encoding;
  const specifications = [
    `clip:${CLIP}`,
    `weight:fixed:${devices}`,
    `rotate:${coordinates}:${CLIP}:${scale}:${BITS}:7`,
    ...(shareVariance > 0 ? [`noise:${kind}:${shareVariance}`] : []),
  ];
  return { ...encoding, transforms: transformsOf(terms(specifications)), specifications };
}

const update = (values: Float32Array) => ({ kind: "float", values, metrics: {} }) as const;

/** What the coordinator reads of the sum, which it has mod 2^16. */
function aggregate(
  { transforms }: ReturnType<typeof setting>,
  devices: readonly Float32Array[],
  noise: NoiseWords | "elsewhere",
): { mean: Float32Array; ring: Int32Array } {
  const ring = devices
    .map((values) => encodeUpdate(transforms, update(values.slice()), { rounding, noise }))
    .reduce((total, input) => total.map((value, i) => (value + input[i]) & 0xffff));
  const { values } = decodeSum(transforms, { kind: "ring", values: ring, survivors: devices.length }, { round: 1 });
  return { mean: values, ring };
}

function randomUpdate(coordinates: number, device: number, norm: number): Float32Array {
  const random = seededRandom(5, "update", 0, device);
  const values = Float32Array.from({ length: coordinates }, () => random.normal());
  const length = Math.hypot(...values);
  return values.map((value) => (value * norm) / length);
}

/** Kolmogorov and Smirnov's statistic of two samples, times what makes its law known: 1.95 is p = 1e-3. */
function kolmogorov(a: readonly number[], b: readonly number[]): number {
  const [x, y] = [[...a].sort((p, q) => p - q), [...b].sort((p, q) => p - q)];
  let largest = 0;
  for (let i = 0, j = 0; i < x.length && j < y.length; ) {
    const value = Math.min(x[i], y[j]);
    while (i < x.length && x[i] === value) i++;
    while (j < y.length && y[j] === value) j++;
    largest = Math.max(largest, Math.abs(i / x.length - j / y.length));
  }
  return largest * Math.sqrt((x.length * y.length) / (x.length + y.length));
}

describe("rotated updates", () => {
  it("sum to their mean, each coordinate within what rounding leaves, whatever a few coordinates hold", () => {
    const devices = 20;
    const coordinates = 1000;
    const updates = Array.from({ length: devices }, (_, i) => randomUpdate(coordinates, i, 0.4));
    // All of one device's update in one coordinate.
    updates[3] = new Float32Array(coordinates);
    updates[3][17] = 0.5;
    const { mean } = aggregate(setting(coordinates, devices, 0), updates, "elsewhere");
    for (let k = 0; k < coordinates; k++) {
      const expected = updates.reduce((sum, values) => sum + values[k], 0) / devices;
      expect(Math.abs(mean[k] - expected)).toBeLessThan(2e-4);
    }
  });

  it("are clipped to the norm, so that no device can do more", () => {
    const long = randomUpdate(1000, 1, 40);
    const { mean } = aggregate(setting(1000, 1, 0), [long], "elsewhere");
    expect(Math.hypot(...mean)).toBeCloseTo(CLIP, 2);
  });

  it("are meant mod the ring, and say so", () => {
    expect(wrapsAround(setting(10, 2, 1).specifications)).toBe(true);
    expect(wrapsAround(["clip:1", "weight:uniform", "quantise:16:1"])).toBe(false);
  });

  it.each([
    [["rotate:10:0.5:100:16:7", "clip:0.5"]],
    [["noise:gaussian:4", "rotate:10:0.5:100:16:7"]],
    [["rotate:10:0.5:100:16:7", "rotate:10:0.5:100:16:7"]],
    [["rotate:10:0.5:100:16:7", "noise:laplace:4"]],
    [["rotate:10:0.5:100:16:7", "noise:gaussian:-4"]],
    [["rotate:10.5:0.5:100:16:7"]],
    [["rotate:10:0.5:100:40:7"]],
  ])("are refused out of order or out of range: %j", (specifications) => {
    expect(() => transformsOf(terms(specifications))).toThrow(RangeError);
  });
});

describe.each(["gaussian", "skellam"] as const)("devices' %s noise", (kind) => {
  const devices = 12;
  const coordinates = 131_072;
  const private_ = setting(coordinates, devices, 1, kind);
  const zeros = Array.from({ length: devices }, () => new Float32Array(coordinates));
  const { ring } = aggregate(private_, zeros, system);
  const sum = Array.from(ring, (value) => (value << 16) >> 16);

  it("has the deviation of as many shares", () => {
    const deviation = Math.sqrt(sum.reduce((total, value) => total + value * value, 0) / sum.length);
    const least = Math.sqrt(devices * private_.shareVariance);
    const most = Math.sqrt(devices * (private_.shareVariance + 1 / 4));
    expect(deviation).toBeGreaterThan(least * 0.99);
    expect(deviation).toBeLessThan(most * 1.01);
    expect(least).toBeGreaterThanOrEqual(private_.bound);
  });

  it("is the noise that is drawn for all of them at once", () => {
    const at_once = new Int32Array(coordinates);
    noiseLaw(kind, devices * private_.shareVariance).addTo(at_once, system);
    expect(kolmogorov(sum, [...at_once])).toBeLessThan(1.95);
  });

  it("stays on the update when it is decoded: it is not taken away again", () => {
    const { mean } = aggregate(private_, zeros, system);
    const deviation = Math.sqrt(mean.reduce((total, value) => total + value * value, 0) / mean.length);
    expect((deviation * devices) / CLIP).toBeGreaterThan(0.99);
    expect((deviation * devices) / CLIP).toBeLessThan(1.02);
  });
});

describe("a device that makes noise", () => {
  it("does not go without by accident", () => {
    const { transforms } = setting(100, 4, 1);
    expect(() => encodeUpdate(transforms, update(new Float32Array(100)), { rounding })).toThrow(/what to make it of/);
  });

  it("adds it to a zero update too: who pads the roster looks like anybody", () => {
    const { transforms } = setting(1000, 4, 1);
    const input = encodeUpdate(transforms, update(new Float32Array(1000)), { rounding, noise: system, pads: true });
    expect(input.filter((value) => value !== 0).length).toBeGreaterThan(900);
  });

  it("in a simulation draws the same from the same seed", () => {
    const { transforms } = setting(1000, 4, 1);
    const drawn = () =>
      encodeUpdate(transforms, update(randomUpdate(1000, 1, 0.3)), {
        rounding: seededRounding(seededRandom(2, "rounding")),
        noise: seededWords(seededRandom(2, "noise")),
      });
    expect(drawn()).toEqual(drawn());
  });
});
