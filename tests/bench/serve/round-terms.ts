import type { FederatedTask } from "../../../server/task.ts";
import { encodeUpdate, transformsOf } from "../../../shared/learning/transforms/index.ts";
import { sessionAgreement } from "../session-inputs.ts";

/** What a round of the benchmark is about. */
export interface RoundShape {
  /** n: all of them are invited, and all of them are wanted. */
  readonly devices: number;
  /** d, with the metric slots. */
  readonly dimension: number;
}

const QUANTISE_BITS = 16;
const LEVELS = 2 ** (QUANTISE_BITS - 1) - 1;
/** The update's largest coordinate: with it, a level is 2^-15 exactly, and whole levels need no rounding. */
const RANGE = LEVELS / 2 ** 15;
const EXAMPLES = 600;
const STAGE_MS = 60_000;

/** Least honest devices of a cohort: a small one, of the quick form, has fewer than the default. */
export function minHonest(devices: number): number {
  return devices < 16 ? 2 : 5;
}

export function benchTask({ devices, dimension }: RoundShape): FederatedTask {
  const agreement = sessionAgreement(devices, dimension);
  return {
    terms: {
      ...agreement,
      clip: RANGE,
      transforms: [`quantise:${QUANTISE_BITS}:${RANGE}`],
      floors: { minCohort: devices, minHonest: minHonest(devices) },
    },
    model: "none",
    training: { epochs: 1, batchSize: 1, learningRate: 0.1 },
    deadlines: { configure: STAGE_MS, train: STAGE_MS, exchange: STAGE_MS },
    goal: devices,
    closeAt: "all",
  };
}

export function parameterCount({ terms }: FederatedTask): number {
  return terms.dimension - terms.slots.slots.length;
}

/** What the device of this index has "learnt": whole levels, so that its rounding, which is secret, changes nothing. */
export function stubUpdate(parameters: number, index: number): Float32Array {
  const update = new Float32Array(parameters);
  for (let i = 0; i < parameters; i++) update[i] = (((index * 31 + i * 7) % 2001) - 1000) / 2 ** 15;
  return update;
}

export const STUB_METRICS = { examples: EXAMPLES, lossSum: 420, correct: 480, steps: 1 } as const;

/** The sum that a round of all devices has to give, signed ring values. */
export function expectedSum(task: FederatedTask): Int32Array {
  const { terms } = task;
  const transforms = transformsOf(terms);
  const rounding = { fill: (words: Uint32Array) => void words.fill(0) };
  const sum = new Int32Array(terms.dimension);
  const { steps: _, ...metrics } = STUB_METRICS;
  for (let index = 0; index < task.goal; index++) {
    const values = stubUpdate(parameterCount(task), index);
    const input = encodeUpdate(transforms, { kind: "float", values, metrics }, { rounding });
    for (let i = 0; i < sum.length; i++) sum[i] += input[i];
  }
  return sum;
}
