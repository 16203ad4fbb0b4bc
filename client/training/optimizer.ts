import * as tf from "@tensorflow/tfjs-core";
import type { ParameterVector } from "../../shared/learning/parameters.ts";
import type { TrainingTask } from "./trainer.ts";

/**
 * What of a task decides which operations a step has; the rest of it are numbers that a step is given. With the
 * mini-batch's gradient ∇, a step's gradient is
 *
 *     g = clip(∇) + drift · w + shift,   drift = λ + μ,   shift = correction − μ w_t
 *
 * for weight decay λ (0 here under Adam, whose decay is decoupled), the proximal term μ (w − w_t) and the correction.
 */
export interface StepRule {
  readonly optimizer: "sgd" | "momentum" | "nesterov" | "adam";
  readonly clips: boolean;
  /** Whether λ or μ is there. */
  readonly drifts: boolean;
  readonly shifts: boolean;
}

export function stepRule({ optimizer, gradientClip, weightDecay, proximalMu, correction }: TrainingTask): StepRule {
  const kind = optimizer?.kind ?? "sgd";
  return {
    optimizer: optimizer?.kind === "momentum" && optimizer.nesterov ? "nesterov" : kind,
    clips: gradientClip !== undefined,
    drifts: (weightDecay ?? 0) !== 0 || (proximalMu ?? 0) !== 0,
    shifts: (proximalMu ?? 0) !== 0 || correction !== undefined,
  };
}

/** Vectors that an optimiser keeps for each weight. They are zero when training begins. */
export const STATE_VECTORS = { sgd: 0, momentum: 1, nesterov: 1, adam: 2 } as const;

/** Whether ∇ may arrive as the update −η ∇: then a weight's new value is one sum. */
export function gradientIsUpdate({ optimizer, clips }: StepRule): boolean {
  return optimizer === "sgd" && !clips;
}

/** The numbers that are the same in every step of a task. */
export const TASK_NUMBERS = [
  "rate",
  "keep",
  "drift",
  "largestNorm",
  "beta1",
  "rest1",
  "beta2",
  "rest2",
  "epsilon",
] as const;
/** Adam's, which depend on the step t: η / (1 − β₁ᵗ) and 1 / √(1 − β₂ᵗ). */
export const STEP_NUMBERS = ["stepRate", "rootScale"] as const;

type TaskNumbers = Readonly<Record<(typeof TASK_NUMBERS)[number], number>>;
type StepNumbers = Readonly<Record<(typeof STEP_NUMBERS)[number], number>>;

export function taskNumbers(task: TrainingTask): TaskNumbers {
  const { optimizer, learningRate: rate, weightDecay = 0, proximalMu = 0, gradientClip = 0 } = task;
  const adam = optimizer?.kind === "adam" ? optimizer : { beta1: 0, beta2: 0, epsilon: 0 };
  const isAdam = optimizer?.kind === "adam";
  const drift = isAdam ? proximalMu : weightDecay + proximalMu;
  return {
    rate,
    keep: 1 - rate * (isAdam ? weightDecay : drift),
    drift,
    largestNorm: gradientClip,
    beta1: optimizer?.kind === "momentum" ? optimizer.momentum : adam.beta1,
    rest1: 1 - adam.beta1,
    beta2: adam.beta2,
    rest2: 1 - adam.beta2,
    epsilon: adam.epsilon,
  };
}

/** The numbers of step 1, 2, …: products, and not powers, which hosts round differently. */
export function* stepNumbers({ optimizer, learningRate }: TrainingTask): Generator<StepNumbers, never> {
  const { beta1, beta2 } = optimizer?.kind === "adam" ? optimizer : { beta1: 0, beta2: 0 };
  let [power1, power2] = [1, 1];
  for (;;) {
    power1 *= beta1;
    power2 *= beta2;
    yield { stepRate: learningRate / (1 - power1), rootScale: 1 / Math.sqrt(1 - power2) };
  }
}

/** `shift`, by coordinate; for plain SGD times −η, ready to be added. */
export function shiftVector(task: TrainingTask, received: ParameterVector): ParameterVector | undefined {
  const { optimizer, shifts } = stepRule(task);
  if (!shifts) return undefined;
  const { proximalMu = 0, correction, learningRate } = task;
  const scale = optimizer === "sgd" ? -learningRate : 1;
  return received.map((value, i) => scale * ((correction?.[i] ?? 0) - proximalMu * value));
}

export interface StepInputs {
  readonly weights: readonly tf.Tensor[];
  /** ∇, or −η ∇ where {@link gradientIsUpdate}. */
  readonly gradients: readonly tf.Tensor[];
  /** Empty, or one for each weight. */
  readonly shifts: readonly tf.Tensor[];
  /** By state vector, then by weight. */
  readonly state: readonly (readonly tf.Tensor[])[];
  number(name: keyof (TaskNumbers & StepNumbers)): tf.Scalar;
}

export interface StepOutputs {
  readonly weights: readonly tf.Tensor[];
  readonly state: readonly (readonly tf.Tensor[])[];
}

/**
 * One step of local training: written once, run as it is by tfjs and traced for ONNX.
 *
 * Clipping is of ∇ alone: what decay, the proximal term and the correction add is bounded by what they are.
 */
export function optimizerStep(rule: StepRule, inputs: StepInputs): StepOutputs {
  const { weights, state, number } = inputs;
  const factor = rule.clips ? clipFactor(inputs.gradients, number("largestNorm")) : undefined;
  const clipped =
    factor === undefined ? inputs.gradients : inputs.gradients.map((gradient) => tf.mul(gradient, factor));
  const kept = (weight: tf.Tensor) => (rule.drifts ? tf.mul(weight, number("keep")) : weight);
  const shifted = (value: tf.Tensor, i: number) => (rule.shifts ? tf.add(value, inputs.shifts[i]) : value);

  if (rule.optimizer === "sgd") {
    const updates = rule.clips ? clipped.map((gradient) => tf.mul(gradient, tf.neg(number("rate")))) : clipped;
    return { weights: weights.map((weight, i) => tf.add(shifted(kept(weight), i), updates[i])), state: [] };
  }

  const drifting = rule.drifts ? (weight: tf.Tensor) => tf.mul(weight, number("drift")) : undefined;
  const gradients = clipped.map((gradient, i) =>
    shifted(drifting === undefined ? gradient : tf.add(drifting(weights[i]), gradient), i),
  );
  if (rule.optimizer !== "adam") {
    const beta = number("beta1");
    const velocity = gradients.map((gradient, i) => tf.add(tf.mul(state[0][i], beta), gradient));
    const direction = (i: number) =>
      rule.optimizer === "nesterov" ? tf.add(gradients[i], tf.mul(velocity[i], beta)) : velocity[i];
    return {
      weights: weights.map((weight, i) => tf.sub(weight, tf.mul(direction(i), number("rate")))),
      state: [velocity],
    };
  }

  // Algorithm 1 of Kingma and Ba, its bias corrections drawn together into two numbers a step.
  const means = gradients.map((g, i) => tf.add(tf.mul(state[0][i], number("beta1")), tf.mul(g, number("rest1"))));
  const squares = gradients.map((g, i) =>
    tf.add(tf.mul(state[1][i], number("beta2")), tf.mul(tf.square(g), number("rest2"))),
  );
  const steps = means.map((mean, i) =>
    tf.div(
      tf.mul(mean, number("stepRate")),
      tf.add(tf.mul(tf.sqrt(squares[i]), number("rootScale")), number("epsilon")),
    ),
  );
  return { weights: weights.map((weight, i) => tf.sub(kept(weight), steps[i])), state: [means, squares] };
}

/** min(1, C / ‖∇‖₂) over all the tensors. */
function clipFactor(gradients: readonly tf.Tensor[], largestNorm: tf.Scalar): tf.Scalar {
  const squares = gradients.map((gradient) => tf.sum(tf.square(gradient)));
  const norm = tf.sqrt(squares.reduce((sum, square) => tf.add(sum, square)));
  return tf.div(largestNorm, tf.maximum(norm, largestNorm));
}
