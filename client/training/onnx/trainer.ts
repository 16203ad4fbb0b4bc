import type { ModelDefinition } from "../../../shared/learning/models/model-definition.ts";
import { epochBatches } from "../batches.ts";
import { checkParameters, checkTrainable } from "../checks.ts";
import { gradientIsUpdate, type StepRule, stepNumbers, stepRule } from "../optimizer.ts";
import type { Evaluation, Trainer } from "../trainer.ts";
import { compileEvaluation, compileSteps, OUTPUT, parameterOutput, stateOutput, TRAINING_INPUT } from "./compile.ts";
import { mayOverwrite } from "./in-place.ts";
import { boolTensor, floatTensor, type GraphSession, intTensor, openSession, type TensorMap } from "./session.ts";
import { sessionCache } from "./session-cache.ts";
import {
  datasetTensors,
  labelTensor,
  type TrainingBuffer,
  taskTensors,
  tensorsOf,
  trainingBuffer,
  varyingTensors,
} from "./step-tensors.ts";
import { INPUT, parameterInput, refuseRandomConstants, type StepTrace, traceEvaluation, traceStep } from "./trace.ts";

/**
 * Steps that run inside one call of the session: one call for most devices of up to 64 steps, two for the others. A call
 * costs 0.1 ms, and a copy of the parameters, which onnxruntime-node makes of every output and which the collector has to
 * run after: 60 steps of the 2NN as one call take two thirds of the CPU time of 32 + 16 + 8 + 4.
 */
const UNROLLED = [64, 60, 56, 52, 48, 44, 40, 36, 32, 28, 24, 20, 16, 12, 8, 7, 6, 5, 4, 3, 2, 1];
/** Kernels in all the steps of one graph, at most: opening a session takes time with each. */
const LARGEST_GRAPH = 6_000;
const EVALUATION_BATCH = 500;
/** Graphs kept compiled: all the unrolled ones of a batch size, and the single steps of partial batches. */
const KEPT_SESSIONS = 32;

const PLAIN_SGD: StepRule = { optimizer: "sgd", clips: false, drifts: false, shifts: false };

interface StepSession {
  readonly session: GraphSession;
  /** Whether the new parameters may be written over the old ones. */
  readonly inPlace: boolean;
}

/** Trains with ONNX Runtime on one thread, by compiling the training step that tf.layers and tfjs's autodiff define. */
export async function createOnnxTrainer(definition: ModelDefinition): Promise<Trainer> {
  const { inputShape } = definition;
  const traces = new Map<string, StepTrace>();
  const stepTrace = (batch: number, rule: StepRule): StepTrace => {
    const key = `${batch} ${JSON.stringify(rule)}`;
    const trace = traces.get(key) ?? traceStep(definition, batch, rule);
    traces.set(key, trace);
    return trace;
  };
  // Compiled now, so that a model that cannot be is known before training starts.
  const plain = stepTrace(1, PLAIN_SGD);
  const { manifest } = plain;
  refuseRandomConstants(plain, traceStep(definition, 1, PLAIN_SGD));
  compileSteps(plain, 1, 1, definition);
  compileEvaluation(traceEvaluation(definition, 1), 1, definition);
  const sessions = sessionCache<StepSession>(KEPT_SESSIONS);

  async function openSteps(trace: StepTrace, batch: number, steps: number): Promise<StepSession> {
    const graph = compileSteps(trace, batch, steps, definition);
    const inPlace =
      [...trace.parameters.keys()].every((i) => mayOverwrite(graph, parameterInput(i), parameterOutput(i))) &&
      [...trace.state.keys()].every((name) => mayOverwrite(graph, name, stateOutput(name)));
    return { session: await openSession(graph), inPlace };
  }

  async function openEvaluation(batch: number): Promise<StepSession> {
    const graph = compileEvaluation(traceEvaluation(definition, batch), batch, definition);
    return { session: await openSession(graph), inPlace: false };
  }

  return {
    engine: "onnx",

    async train(parameters, examples, task, random, into) {
      checkTrainable(definition, manifest, parameters, examples, task);
      const rule = stepRule(task);
      const common = { ...datasetTensors(examples, definition), ...taskTensors(task, parameters, manifest) };
      const numbers = stepNumbers(task);
      const most = mostUnrolled(stepTrace(1, rule));
      let current = trainingBuffer(parameters, rule, manifest, into);
      let spare: TrainingBuffer | undefined;
      let steps = 0;
      let seen = 0;
      const lastEpoch = (task.epochs - 1) * examples.count;
      let outcome = { lossSum: 0, correct: 0 };
      const outcomes = memoised(outcomeBuffers);

      async function runBlock({ order, batch, steps: count }: Block): Promise<void> {
        const trace = stepTrace(batch, rule);
        await sessions.use(
          `${batch} x ${count} ${JSON.stringify(rule)}`,
          () => openSteps(trace, batch, count),
          async ({ session, inPlace }) => {
            if (!inPlace) spare ??= trainingBuffer(parameters, rule, manifest);
            const target = inPlace || spare === undefined ? current : spare;
            const results = outcomes(order.length);
            const updateScale = (gradientIsUpdate(rule) ? -task.learningRate : 1) / batch;
            const inputs = {
              ...common,
              ...current.inputs,
              ...varyingTensors(trace, numbers, count, random),
              [INPUT.updateScale]: floatTensor(Float32Array.of(updateScale), []),
              [TRAINING_INPUT.order]: intTensor(order),
            };
            await session.run(inputs, { ...target.outputs, ...results.tensors });
            if (target !== current) [current, spare] = [target, current];
            outcome = added(outcome, results, Math.max(0, lastEpoch - seen));
            seen += order.length;
          },
        );
        steps += count;
      }

      // Noise is drawn from the stream that orders are drawn from, in turn.
      const epochsTogether = stepTrace(1, rule).noise.length === 0 ? task.epochs : 1;
      for (let epoch = 0; epoch < task.epochs; epoch += epochsTogether) {
        const epochs = Array.from({ length: epochsTogether }, () =>
          epochBatches(examples.count, task.batchSize, random),
        );
        for (const block of unrolledBlocks(epochs.flat(), most)) await runBlock(block);
      }
      return { parameters: current.parameters, examples: examples.count, ...outcome, steps };
    },

    async evaluate(parameters, examples) {
      checkParameters(definition, manifest, parameters, examples);
      const inputs = tensorsOf(parameters, manifest, parameterInput);
      const width = examples.inputs.length / Math.max(1, examples.count);
      let outcome = { lossSum: 0, correct: 0 };
      for (let start = 0; start < examples.count; start += EVALUATION_BATCH) {
        const end = Math.min(start + EVALUATION_BATCH, examples.count);
        const batch = end - start;
        const results = outcomeBuffers(batch);
        const slice = {
          [INPUT.examples]: floatTensor(examples.inputs.subarray(start * width, end * width), [batch, ...inputShape]),
          [INPUT.labels]: labelTensor(examples.labels, start, end, definition),
        };
        await sessions.use(
          `evaluate ${batch}`,
          () => openEvaluation(batch),
          ({ session }) => session.run({ ...inputs, ...slice }, results.tensors),
        );
        outcome = added(outcome, results);
      }
      return { examples: examples.count, ...outcome } satisfies Evaluation;
    },

    dispose: () => sessions.dispose(),
  };
}

interface Block {
  readonly order: Int32Array;
  readonly batch: number;
  readonly steps: number;
}

/** Steps that a graph of this many kernels unrolls: in a long one the overhead of a call is nothing. */
function mostUnrolled({ kernels }: StepTrace): number {
  return Math.max(1, Math.floor(LARGEST_GRAPH / kernels));
}

/** Batches put together, in their order, into blocks of as many equal ones as a graph unrolls. */
function* unrolledBlocks(batches: readonly Int32Array[], most: number): Generator<Block> {
  for (let next = 0; next < batches.length; ) {
    const batch = batches[next].length;
    const different = batches.findIndex(({ length }, i) => i > next && length !== batch);
    const equal = (different === -1 ? batches.length : different) - next;
    const steps = UNROLLED.find((size) => size <= Math.min(equal, Math.max(1, most))) ?? 1;
    const order = new Int32Array(steps * batch);
    for (let i = 0; i < steps; i++) order.set(batches[next + i], i * batch);
    yield { order, batch, steps };
    next += steps;
  }
}

interface OutcomeBuffers {
  readonly losses: Float32Array;
  readonly hits: Uint8Array;
  readonly tensors: TensorMap;
}

function outcomeBuffers(examples: number): OutcomeBuffers {
  const losses = new Float32Array(examples);
  const hits = new Uint8Array(examples);
  return {
    losses,
    hits,
    tensors: { [OUTPUT.losses]: floatTensor(losses, [examples]), [OUTPUT.hits]: boolTensor(hits) },
  };
}

interface Outcome {
  readonly lossSum: number;
  readonly correct: number;
}

/** The first `skipped` examples are of an epoch that is not reported. */
function added({ lossSum, correct }: Outcome, { losses, hits }: OutcomeBuffers, skipped = 0): Outcome {
  for (let i = skipped; i < losses.length; i++) {
    lossSum += losses[i];
    correct += hits[i];
  }
  return { lossSum, correct };
}

function memoised<T>(make: (size: number) => T): (size: number) => T {
  const known = new Map<number, T>();
  return (size) => {
    const made = known.get(size) ?? make(size);
    known.set(size, made);
    return made;
  };
}
