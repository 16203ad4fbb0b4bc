import { epochBatches } from "../../client/training/batches.ts";
import { createOnnxTrainer } from "../../client/training/onnx/trainer.ts";
import { createTfjsTrainer } from "../../client/training/tfjs/trainer.ts";
import type { Trainer } from "../../client/training/trainer.ts";
import type { Examples } from "../../shared/learning/examples.ts";
import { MODELS, type ModelDefinition } from "../../shared/learning/models/index.ts";
import { initialParameters } from "../../shared/learning/models/model-parameters.ts";
import type { ParameterVector } from "../../shared/learning/parameters.ts";
import { seededRandom } from "../../shared/random/seeded-random.ts";
import { type ImageLayout, startTorch, type TorchProcess, TorchUnavailable } from "./engine/torch-process.ts";
import { startWasmBackend } from "./engine/wasm-backend.ts";
import { type BenchmarkRow, median } from "./report.ts";

export interface EngineBenchmarkOptions {
  /** A short form, of few steps. */
  readonly quick: boolean;
  /** Only the case of this name. */
  readonly only?: string;
  /** Only beside the baseline of this name. */
  readonly baseline?: string;
  /** The Python that has PyTorch. */
  readonly python: string;
  readonly onProgress?: (what: string) => void;
  /** Told which BLAS PyTorch runs on. */
  readonly onBaseline: (what: string) => void;
}

const LEARNING_RATE = 0.05;
const BASELINES = ["torch", "torch-channels-last", "torch-manual", "tfjs-wasm", "tfjs-cpu"] as const;
type Baseline = (typeof BASELINES)[number];

interface Case {
  readonly name: string;
  readonly model: string;
  readonly batch: number;
  /** Steps of one repetition, whole epochs: about a CPU second of the subject. */
  readonly steps: number;
  /** tfjs on plain JavaScript takes 35 ms for a step of the 2NN, and 2 s for each image of the CNN. */
  readonly stepsOfPlainTfjs: number;
}

const CASES: readonly Case[] = [
  { name: "2nn-b10", model: "2nn", batch: 10, steps: 3000, stepsOfPlainTfjs: 30 },
  { name: "2nn-b32", model: "2nn", batch: 32, steps: 1800, stepsOfPlainTfjs: 15 },
  { name: "cnn-b10", model: "cnn", batch: 10, steps: 120, stepsOfPlainTfjs: 1 },
  { name: "cnn-b32", model: "cnn", batch: 32, steps: 36, stepsOfPlainTfjs: 1 },
];
/** Steps of a device that has 600 examples, in one epoch. */
const STEPS_AN_EPOCH = { 10: 60, 32: 18 } as Readonly<Record<number, number>>;

/**
 * Samples per CPU second of local SGD on one thread: McMahan's 2NN and CNN at batches of 10 and 32, by the onnx engine
 * and, alternating with it in the same run, by PyTorch with autograd (as it keeps images by itself, and as it is faster
 * with them), by PyTorch with the backward pass written by hand, and by tfjs on its WASM and plain JavaScript backends. All take the same examples in the same order, and a baseline
 * whose update differs from the subject's after the first steps is an error.
 */
export async function runEngineBenchmark(options: EngineBenchmarkOptions): Promise<BenchmarkRow[]> {
  const { quick, only, python, onProgress = () => {}, onBaseline } = options;
  const wanted = CASES.filter(({ name }) => only === undefined || name === only);
  if (wanted.length === 0) throw new RangeError(`there is no case "${only}"`);
  const baselines = BASELINES.filter((name) => options.baseline === undefined || name === options.baseline);
  if (baselines.length === 0) throw new RangeError(`there is no baseline "${options.baseline}"`);
  const torch = await startTorch(python).catch((error: unknown) => unavailable(error));
  onBaseline(torch instanceof TorchUnavailable ? `torch: not measured: ${torch.message}` : torch.description);
  const rows: BenchmarkRow[] = [];
  try {
    for (const wantedCase of wanted) {
      const workload = makeWorkload(wantedCase, quick);
      const subject = await trainerContestant(await createOnnxTrainer(workload.definition), workload);
      for (const baseline of baselines) {
        // Only images have channels.
        if (baseline === "torch-channels-last" && wantedCase.model !== "cnn") continue;
        onProgress(`${wantedCase.name}: ${baseline}`);
        rows.push(await compared(subject, baseline, workload, torch));
      }
      await subject.close();
    }
  } finally {
    if (!(torch instanceof TorchUnavailable)) torch.close();
  }
  return rows;
}

interface Workload extends Case {
  readonly definition: ModelDefinition;
  readonly start: ParameterVector;
  readonly examples: Examples;
  readonly quick: boolean;
}

function makeWorkload(wanted: Case, quick: boolean): Workload {
  const definition = MODELS.get(wanted.model);
  if (definition === undefined) throw new Error(`There is no model "${wanted.model}".`);
  const count = wanted.batch * (quick ? 1 : STEPS_AN_EPOCH[wanted.batch]);
  const steps = quick ? 2 : wanted.steps;
  const start = initialParameters(definition, seededRandom(1, "initial parameters"));
  return { ...wanted, steps, definition, start, examples: strokes(count, definition), quick };
}

/** Images of digits' size with their share of ink, a fifth of the pixels, inside empty borders. */
function strokes(count: number, { inputShape, outputs }: ModelDefinition): Examples {
  const random = seededRandom(2, "images");
  const inputs = new Float32Array(count * 784);
  for (let i = 0; i < inputs.length; i++) {
    const [row, column] = [Math.floor((i % 784) / 28), i % 28];
    const inside = Math.min(row, column, 27 - row, 27 - column) >= 4;
    if (inside && random.uniform() < 0.4) inputs[i] = random.uniform();
  }
  return { inputs, labels: Int32Array.from({ length: count }, () => random.below(outputs)), inputShape, count };
}

/** An engine with its model loaded. */
interface Contestant {
  /** CPU seconds of `steps` steps. */
  train(steps: number): Promise<number>;
  /** The parameters after one epoch over the first `count` examples, from the start. */
  updated(count: number): Promise<ParameterVector>;
  close(): Promise<void>;
}

async function trainerContestant(trainer: Trainer, workload: Workload): Promise<Contestant> {
  const { start, examples, batch } = workload;
  const task = { batchSize: batch, learningRate: LEARNING_RATE };
  return {
    async train(steps) {
      const used = subset(examples, Math.min(examples.count, steps * batch));
      const epochs = wholeEpochs(steps * batch, used.count);
      const before = process.cpuUsage();
      await trainer.train(start, used, { ...task, epochs }, seededRandom(3, "order"));
      const { user, system } = process.cpuUsage(before);
      return (user + system) / 1e6;
    },
    updated: async (count) =>
      (await trainer.train(start, subset(examples, count), { ...task, epochs: 1 }, seededRandom(4, "order")))
        .parameters,
    close: () => trainer.dispose(),
  };
}

async function torchContestant(
  torch: TorchProcess,
  form: "autograd" | "manual",
  layout: ImageLayout,
  workload: Workload,
): Promise<Contestant> {
  const { model, start, examples, batch } = workload;
  const order = (count: number, epochs: number, stream: number) => {
    const random = seededRandom(stream, "order");
    const batches = Array.from({ length: epochs }, () => epochBatches(count, batch, random)).flat();
    return Int32Array.from(batches.flatMap((indices) => [...indices]));
  };
  return {
    async train(steps) {
      const count = Math.min(examples.count, steps * batch);
      await torch.load(model, layout, start, examples, LEARNING_RATE);
      return torch.train(form, order(count, wholeEpochs(steps * batch, count), 3), batch);
    },
    async updated(count) {
      await torch.load(model, layout, start, examples, LEARNING_RATE);
      await torch.train(form, order(count, 1, 4), batch);
      return torch.parameters();
    },
    close: async () => {},
  };
}

async function openBaseline(
  baseline: Baseline,
  workload: Workload,
  torch: TorchProcess | TorchUnavailable,
): Promise<Contestant> {
  switch (baseline) {
    case "torch":
      return torchContestant(available(torch), "autograd", "contiguous", workload);
    case "torch-channels-last":
      return torchContestant(available(torch), "autograd", "channels_last", workload);
    case "torch-manual":
      return torchContestant(available(torch), "manual", "channels_last", workload);
    case "tfjs-wasm":
      await startWasmBackend();
      return trainerContestant(await createTfjsTrainer(workload.definition, { backend: "wasm" }), workload);
    case "tfjs-cpu":
      return trainerContestant(await createTfjsTrainer(workload.definition, { backend: "cpu" }), workload);
  }
}

async function compared(
  subject: Contestant,
  baseline: Baseline,
  workload: Workload,
  torch: TorchProcess | TorchUnavailable,
): Promise<BenchmarkRow> {
  const { name, batch, steps, start, stepsOfPlainTfjs, quick } = workload;
  const slow = baseline === "tfjs-cpu" && workload.model === "cnn";
  const baselineSteps = baseline.startsWith("tfjs") ? Math.min(steps, stepsOfPlainTfjs) : steps;
  const repetitions = slow ? 1 : 3;
  const rates: { subject: number[]; baseline: number[] } = { subject: [], baseline: [] };
  const measure = async (contestant: Contestant, count: number) => (count * batch) / (await contestant.train(count));
  let reason: string | undefined;
  let opened: Contestant | undefined;
  try {
    // A minute's step is neither warmed up nor checked; in the quick form it is not taken at all.
    if (slow && quick) throw new TooSlow("plain JavaScript takes 2 s an image");
    opened = await openBaseline(baseline, workload, torch);
    if (!slow) checkAgreement(baseline, start, await subject.updated(batch), await opened.updated(batch));
  } catch (error) {
    reason = whyNotMeasured(error);
  }
  await subject.train(steps);
  if (opened !== undefined && reason === undefined && !slow) await opened.train(baselineSteps);
  for (let repetition = 0; repetition < repetitions; repetition++) {
    rates.subject.push(await measure(subject, steps));
    if (opened !== undefined && reason === undefined) rates.baseline.push(await measure(opened, baselineSteps));
  }
  await opened?.close();
  const subjectMedian = median(rates.subject);
  const row = { case: name, subject: "onnx", baseline, unit: "samples/CPU s", subject_median: subjectMedian };
  if (reason !== undefined) {
    return { ...row, baseline_median: null, ratio: null, repetitions, note: "not measured", reason };
  }
  const baselineMedian = median(rates.baseline);
  return { ...row, baseline_median: baselineMedian, ratio: subjectMedian / baselineMedian, repetitions };
}

function wholeEpochs(samples: number, examples: number): number {
  if (samples % examples !== 0) throw new RangeError(`${samples} samples are no whole epochs of ${examples}.`);
  return samples / examples;
}

class TooSlow extends Error {}

/** What keeps a baseline from being measured; anything else that goes wrong is an error of this benchmark. */
function whyNotMeasured(error: unknown): string {
  if (!(error instanceof Error)) throw error;
  const missingKernel = /Kernel '\w+' not registered for backend '\w+'/.exec(error.message)?.[0];
  if (missingKernel !== undefined) return missingKernel;
  const missingPackage = /Cannot find (package|module) '@tensorflow\/tfjs-backend-wasm'/.test(error.message);
  if (missingPackage) return "@tensorflow/tfjs-backend-wasm is not installed";
  if (error instanceof TorchUnavailable || error instanceof TooSlow) return error.message;
  throw error;
}

function available(torch: TorchProcess | TorchUnavailable): TorchProcess {
  if (torch instanceof TorchUnavailable) throw torch;
  return torch;
}

function unavailable(error: unknown): TorchUnavailable {
  if (error instanceof TorchUnavailable) return error;
  throw error;
}

/** One step from the same parameters on the same examples: the updates are apart by rounding only. */
function checkAgreement(name: string, start: ParameterVector, a: ParameterVector, b: ParameterVector): void {
  let difference = 0;
  let length = 0;
  for (let i = 0; i < start.length; i++) {
    difference += (a[i] - b[i]) ** 2;
    length += (a[i] - start[i]) ** 2;
  }
  const distance = Math.sqrt(difference / length);
  if (!(distance <= 1e-4)) throw new Error(`The update of ${name} is ${distance} away from the subject's.`);
}

function subset({ inputs, labels, inputShape, count: all }: Examples, count: number): Examples {
  const width = inputs.length / all;
  return { inputs: inputs.subarray(0, count * width), labels: labels.subarray(0, count), inputShape, count };
}
