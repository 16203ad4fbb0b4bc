import type { Examples } from "../../shared/learning/examples.ts";
import type { LocalTraining } from "../../shared/learning/local-training.ts";
import type { ParameterVector } from "../../shared/learning/parameters.ts";
import type { SeededRandom } from "../../shared/random/seeded-random.ts";

/** What a device is asked to do with its examples, and what it adds of its own. */
export interface TrainingTask extends LocalTraining {
  /**
   * Added to every step's gradient, one value a parameter: c − c_i in SCAFFOLD (Karimireddy et al. 2020, arXiv 1910.06378,
   * Algorithm 1, line 10).
   */
  readonly correction?: ParameterVector;
}

export interface TrainingResult {
  /** The device did not train: it only pads a round's roster, with a zero update that says nothing. */
  readonly pads?: true;
  /** The parameters after training, a vector that is the caller's. */
  readonly parameters: ParameterVector;
  /** Where training began, where that is not the round's own model: a device that waited for others to train. */
  readonly earlier?: EarlierModel;
  readonly examples: number;
  /** Over the last epoch, with the parameters as they were at each step: sum of per-example losses, and hits. */
  readonly lossSum: number;
  readonly correct: number;
  readonly steps: number;
}

/** A model that newer ones have replaced since a device trained from it. */
export interface EarlierModel {
  readonly parameters: ParameterVector;
  /** How many are newer. */
  readonly staleness: number;
}

export interface Evaluation {
  readonly examples: number;
  readonly lossSum: number;
  readonly correct: number;
}

/**
 * Trains one model. One contract test runs over every engine: same parameters, examples and batch order give the same
 * update within its tolerance (`training-engine.md`, "The port").
 */
export interface Trainer {
  readonly engine: "onnx" | "tfjs" | "tfjs-node";
  /**
   * Runs `epochs` of mini-batch SGD from `parameters` on this device's examples; batches are drawn from `random`.
   * @param into memory that the result's parameters may take, for a loop over devices; absent: they are fresh
   */
  train(
    parameters: ParameterVector,
    examples: Examples,
    task: TrainingTask,
    random: SeededRandom,
    into?: ParameterVector,
  ): Promise<TrainingResult>;
  evaluate(parameters: ParameterVector, examples: Examples): Promise<Evaluation>;
  dispose(): Promise<void>;
}
