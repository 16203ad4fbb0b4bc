import type { CryptoProvider } from "../../shared/crypto/provider.ts";
import { encodeUpdate, transformsOf } from "../../shared/learning/transforms/index.ts";
import { seededRandom } from "../../shared/random/seeded-random.ts";
import type { SecAggAgreement } from "../../shared/secagg/agreement.ts";
import { metricSlots } from "../../shared/secagg/metric-slots.ts";
import { secureRounding } from "../../shared/secagg/quantise.ts";
import { smallestRingBits } from "../../shared/secagg/ring-bound.ts";

const QUANTISE_BITS = 16;
const LEVELS = 2 ** (QUANTISE_BITS - 1) - 1;
const EXAMPLES = 600;

/** An agreement as a round makes it, with `dimension` coordinates of which the last ones are the metric slots. */
export function sessionAgreement(devices: number, dimension: number): SecAggAgreement {
  const slots = metricSlots({
    largestExampleCount: EXAMPLES,
    weightCap: EXAMPLES,
    largestMeanLoss: Math.log(100),
    levels: LEVELS,
  });
  return {
    mode: "masked",
    level: "curious-server",
    population: "benchmark",
    taskId: new Uint8Array(16).fill(1),
    roundId: new Uint8Array(16).fill(2),
    modelHash: new Uint8Array(32).fill(3),
    dimension,
    bits: smallestRingBits({ levels: LEVELS, largestSlot: slots.largest, maxInputs: devices }),
    levels: LEVELS,
    clip: 1,
    slots,
    transforms: [`quantise:${QUANTISE_BITS}:1`],
    corrupted: 0.05,
    dropout: 0.1,
    rule: "protocol",
    sigma: 64,
    eta: 20,
    floors: { minCohort: 8, minHonest: 5 },
    maxCohort: devices,
    fixedCohort: 0,
    minSurvivors: 0,
    noiseShare: 0,
  };
}

/** A trained update, as it comes from the trainer. */
export function subjectUpdate({ dimension, slots }: SecAggAgreement): Float32Array {
  const random = seededRandom(1, "benchmark-update");
  return Float32Array.from({ length: dimension - slots.slots.length }, () => random.uint32() / 2 ** 31 - 1);
}

/** The update on its way into the ring, rounded with bits of the operating system. */
export function subjectInput(
  agreement: SecAggAgreement,
  values: Float32Array,
  provider: Pick<CryptoProvider, "random" | "keystream">,
): Int32Array {
  const metrics = { weight: 1, examples: EXAMPLES, lossSum: 420, correct: 480, clipped: 0 };
  const rounding = secureRounding(provider);
  return encodeUpdate(transformsOf(agreement), { kind: "float", values, metrics }, { rounding });
}

/** Some ring vector within ±L, cheaply: what is in it changes nothing in the time it takes. */
export function syntheticInput({ dimension, levels }: SecAggAgreement, device: number): Int32Array {
  const input = new Int32Array(dimension);
  fillWithin(input, levels, device + 1);
  return input;
}

function fillWithin(input: Int32Array, levels: number, seed: number): void {
  const span = 2 * levels + 1;
  let word = Math.imul(seed, 0x9e3779b1) | 1;
  for (let i = 0; i < input.length; i++) {
    // Marsaglia's xorshift.
    word ^= word << 13;
    word ^= word >>> 17;
    word ^= word << 5;
    input[i] = ((word >>> 0) % span) - levels;
  }
}
