import type { AttackResult } from "../../shared/attacks/attack-result.ts";
import type { ModelDefinition } from "../../shared/learning/models/model-definition.ts";
import type { ParameterVector } from "../../shared/learning/parameters.ts";
import type { Dataset } from "../datasets/index.ts";
import type { RunConfig } from "../experiments/config.ts";

/** What is attacked: a model as devices are sent it, and the data that they hold. */
export interface AttackTarget {
  readonly config: RunConfig;
  readonly dataset: Dataset;
  readonly model: ModelDefinition;
  /** Of a finished run, or as they are before the first round. */
  readonly parameters: ParameterVector;
  /** "run 5cb8 after 20 rounds", "the initial model". */
  readonly origin: string;
}

export interface AttackOptions {
  readonly seed: number;
  /** Devices in the sum that the coordinator sees; absent: what the attack compares by itself. */
  readonly devices?: number;
  /** z: noise on the sum, in clip norms; absent: what the attack compares by itself. */
  readonly noise?: number;
  /** Fewer repetitions: figures are rougher. */
  readonly quick: boolean;
  /** CPU time of the process so far, seconds. */
  cpuSeconds(): number;
}

export interface Attack {
  /** What it does, in half a line of help. */
  readonly what: string;
  run(target: AttackTarget, options: AttackOptions): Promise<AttackResult>;
}
