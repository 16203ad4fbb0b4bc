import type { Examples } from "../../../shared/learning/examples.ts";
import type { ModelDefinition } from "../../../shared/learning/models/model-definition.ts";
import type { ParameterManifest, ParameterVector } from "../../../shared/learning/parameters.ts";
import { epochBatches } from "../batches.ts";
import { checkParameters, checkTrainable } from "../checks.ts";
import { labelType, labelWidth } from "../loss.ts";
import type { Evaluation, Trainer } from "../trainer.ts";
import { compileEvaluation, compileSteps, OUTPUT, parameterOutput, TRAINING_INPUT } from "./compile.ts";
import { mayOverwrite } from "./in-place.ts";
import { boolTensor, floatTensor, type GraphSession, intTensor, openSession, type TensorMap } from "./session.ts";
import { sessionCache } from "./session-cache.ts";
import { INPUT, parameterInput, type StepTrace, traceEvaluation, traceStep } from "./trace.ts";

/**
 * Steps that run inside one call of the session. A run of 23 steps is 16 + 4 + 2 + 1: the overhead of a call, about
 * 0.1 ms, is spread, and no batch size needs more than this many graphs.
 */
const UNROLLED = [16, 8, 4, 2, 1];
const EVALUATION_BATCH = 500;
/** Graphs kept compiled: all the unrolled ones of two batch sizes and as many partial batches. */
const KEPT_SESSIONS = 24;

interface StepSession {
  readonly session: GraphSession;
  /** Whether the new parameters may be written over the old ones. */
  readonly inPlace: boolean;
}

/** Trains with ONNX Runtime on one thread, by compiling the training step that tf.layers and tfjs's autodiff define. */
export async function createOnnxTrainer(definition: ModelDefinition): Promise<Trainer> {
  const { inputShape } = definition;
  const traces = new Map<number, StepTrace>();
  const stepTrace = (batch: number): StepTrace => {
    const trace = traces.get(batch) ?? traceStep(definition, batch);
    traces.set(batch, trace);
    return trace;
  };
  // Traced now, so that a model that cannot be is known before training starts.
  const { manifest } = stepTrace(1);
  traceEvaluation(definition, 1);
  const sessions = sessionCache<StepSession>(KEPT_SESSIONS);

  async function openSteps(batch: number, steps: number): Promise<StepSession> {
    const graph = compileSteps(stepTrace(batch), batch, steps, definition);
    const inPlace = manifest.tensors.every((_, i) => mayOverwrite(graph, parameterInput(i), parameterOutput(i)));
    return { session: await openSession(graph), inPlace };
  }

  async function openEvaluation(batch: number): Promise<StepSession> {
    const graph = compileEvaluation(traceEvaluation(definition, batch), batch, definition);
    return { session: await openSession(graph), inPlace: false };
  }

  return {
    engine: "onnx",

    async train(parameters, examples, task, random) {
      checkTrainable(definition, manifest, parameters, examples, task);
      const dataset = datasetTensors(examples, definition);
      let current = parameterBuffer(parameters.slice(), manifest);
      let spare: ParameterBuffer | undefined;
      let steps = 0;
      let outcome = { lossSum: 0, correct: 0 };

      async function runBlock(order: Int32Array, batch: number, count: number): Promise<void> {
        await sessions.use(
          `${batch} x ${count}`,
          () => openSteps(batch, count),
          async ({ session, inPlace }) => {
            if (!inPlace) spare ??= parameterBuffer(new Float32Array(manifest.size), manifest);
            const target = inPlace || spare === undefined ? current : spare;
            const results = outcomeBuffers(order.length);
            const updateScale = floatTensor(Float32Array.of(-task.learningRate / batch), []);
            const inputs = { ...dataset, ...current.inputs, [TRAINING_INPUT.order]: intTensor(order), updateScale };
            await session.run(inputs, { ...target.outputs, ...results.tensors });
            if (target !== current) [current, spare] = [target, current];
            outcome = added(outcome, results);
          },
        );
        steps += count;
      }

      for (let epoch = 0; epoch < task.epochs; epoch++) {
        outcome = { lossSum: 0, correct: 0 };
        for (const block of unrolledBlocks(epochBatches(examples.count, task.batchSize, random))) {
          await runBlock(block.order, block.batch, block.steps);
        }
      }
      return { parameters: current.flat, examples: examples.count, ...outcome, steps };
    },

    async evaluate(parameters, examples) {
      checkParameters(definition, manifest, parameters, examples);
      const { inputs } = parameterBuffer(parameters, manifest);
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

interface ParameterBuffer {
  readonly flat: ParameterVector;
  readonly inputs: TensorMap;
  readonly outputs: TensorMap;
}

/** The tensors of a flat vector, as views of it. */
function parameterBuffer(flat: ParameterVector, { tensors }: ParameterManifest): ParameterBuffer {
  const inputs: TensorMap = {};
  const outputs: TensorMap = {};
  for (const [i, { offset, size, shape }] of tensors.entries()) {
    const tensor = floatTensor(flat.subarray(offset, offset + size), shape);
    inputs[parameterInput(i)] = tensor;
    outputs[parameterOutput(i)] = tensor;
  }
  return { flat, inputs, outputs };
}

function datasetTensors({ inputs, labels, count }: Examples, definition: ModelDefinition): TensorMap {
  return {
    [TRAINING_INPUT.examples]: floatTensor(inputs, [count, ...definition.inputShape]),
    [TRAINING_INPUT.labels]: labelTensor(labels, 0, count, definition),
  };
}

/** The labels of examples `start` to `end`. */
function labelTensor(labels: Examples["labels"], start: number, end: number, definition: ModelDefinition) {
  const width = labelWidth(definition);
  const part = labels.subarray(start * width, end * width);
  const shape = [end - start, ...labelType(definition).shape];
  return part instanceof Int32Array ? intTensor(part, shape) : floatTensor(part, shape);
}

interface Block {
  readonly order: Int32Array;
  readonly batch: number;
  readonly steps: number;
}

/** Batches, views of one array in order, put together into blocks of as many equal batches as a graph unrolls. */
function* unrolledBlocks(batches: readonly Int32Array[]): Generator<Block> {
  for (let next = 0; next < batches.length; ) {
    const batch = batches[next].length;
    const last = batches[batches.length - 1].length;
    const full = last === batch ? batches.length : batches.length - 1;
    const steps = UNROLLED.find((size) => size <= Math.max(1, full - next)) ?? 1;
    const { buffer, byteOffset } = batches[next];
    yield { order: new Int32Array(buffer, byteOffset, steps * batch), batch, steps };
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

function added({ lossSum, correct }: Outcome, { losses, hits }: OutcomeBuffers): Outcome {
  for (const loss of losses) lossSum += loss;
  for (const hit of hits) correct += hit;
  return { lossSum, correct };
}
