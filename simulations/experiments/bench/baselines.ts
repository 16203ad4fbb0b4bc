import { ENGINES } from "../../../client/training/engines.ts";
import { initialParameters } from "../../../shared/learning/models/model-parameters.ts";
import { seededRandom } from "../../../shared/random/seeded-random.ts";
import { exampleBuffers, gatherExamples, loadDataset } from "../../datasets/index.ts";
import { holdExamples } from "../../datasets/partitions/holdings.ts";
import { loadModel } from "../../load-model.ts";
import type { RunConfig } from "../config.ts";
import { localTraining } from "../task-terms.ts";

/** What stands on a frontier's axes beside what a federation learns. */
export interface Baseline {
  /** On the public test set, 0 to 1. */
  readonly accuracy: number;
  /** What was done, in a sentence. */
  readonly what: string;
}

/** Epochs over everybody's data in one place: the 2NN has learnt what it will by then. */
const POOLED_EPOCHS = 10;
/** Devices that train alone, of which the mean is taken, and for how many epochs each. */
const ALONE = { devices: 20, epochs: 20 };

/** One model of all devices' data in one place: what nobody has to hide from. */
export async function centralBaseline(config: RunConfig): Promise<Baseline> {
  const { trainer, dataset, model } = await prepare(config);
  try {
    const { seed } = config;
    const held = heldExamples(config, dataset);
    const task = { ...localTraining(config), epochs: 1 };
    const buffers = exampleBuffers(dataset.train, held.length);
    const examples = gatherExamples(dataset.train, held, buffers);
    let parameters = initialParameters(model, seededRandom(seed, "parameters"));
    for (let epoch = 0; epoch < POOLED_EPOCHS; epoch++) {
      parameters = (await trainer.train(parameters, examples, task, seededRandom(seed, "pooled-batches", epoch)))
        .parameters;
    }
    const { correct, examples: count } = await trainer.evaluate(
      parameters,
      gatherExamples(dataset.test, all(dataset.test.count)),
    );
    const what = `all ${held.length.toLocaleString("en")} examples in one place, ${POOLED_EPOCHS} epochs`;
    return { accuracy: correct / count, what };
  } finally {
    await trainer.dispose();
  }
}

/** Each device with its own data only. */
export async function localOnlyBaseline(config: RunConfig): Promise<Baseline> {
  const { trainer, dataset, model } = await prepare(config);
  try {
    const { seed, fleet, task } = config;
    const holdings = holdExamples(dataset.train, fleet.devices, seed, task.partition);
    const devices = Math.min(ALONE.devices, fleet.devices);
    const training = { ...localTraining(config), epochs: ALONE.epochs };
    const test = gatherExamples(dataset.test, all(dataset.test.count));
    let total = 0;
    for (let i = 0; i < devices; i++) {
      const device = Math.floor((i * fleet.devices) / devices);
      const examples = gatherExamples(dataset.train, holdings.examples(device));
      const start = initialParameters(model, seededRandom(seed, "parameters"));
      const trained = await trainer.train(start, examples, training, seededRandom(seed, "alone-batches", device));
      const { correct, examples: count } = await trainer.evaluate(trained.parameters, test);
      total += correct / count;
    }
    const what = `mean of ${devices} devices, each with its own examples only, ${ALONE.epochs} epochs`;
    return { accuracy: total / devices, what };
  } finally {
    await trainer.dispose();
  }
}

/** The most frequent class, for everything. */
export async function chanceBaseline(config: RunConfig): Promise<Baseline> {
  const { test, outputs } = await loadDataset(config.task.dataset, config.seed);
  const counts = new Array<number>(outputs).fill(0);
  for (const label of test.labels) counts[label]++;
  return { accuracy: Math.max(...counts) / test.count, what: "the most frequent class, whatever the picture" };
}

async function prepare(config: RunConfig) {
  const dataset = await loadDataset(config.task.dataset, config.seed);
  const model = await loadModel(config.task.model, dataset);
  return { dataset, model, trainer: await ENGINES[config.train.engine](model) };
}

function heldExamples({ fleet, seed, task }: RunConfig, dataset: Awaited<ReturnType<typeof loadDataset>>): Int32Array {
  const holdings = holdExamples(dataset.train, fleet.devices, seed, task.partition);
  const held: number[] = [];
  for (let device = 0; device < fleet.devices; device++) for (const i of holdings.examples(device)) held.push(i);
  return Int32Array.from(held);
}

function all(count: number): Int32Array {
  return Int32Array.from({ length: count }, (_, i) => i);
}
