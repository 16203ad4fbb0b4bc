import type { Trainer } from "../../../client/training/trainer.ts";
import type { ParameterVector } from "../../../shared/learning/parameters.ts";
import { type Dataset, gatherExamples } from "../../datasets/index.ts";

/** Test examples that one call of the engine takes. */
const SLICE = 500;

/**
 * A model's accuracy on the public test set, class by class: who pays for noise. Empty where examples have no classes.
 */
export async function classAccuracy(
  trainer: Pick<Trainer, "evaluate">,
  { test, outputs }: Dataset,
  parameters: ParameterVector,
): Promise<number[]> {
  const { labels } = test;
  if (labels instanceof Float32Array) return [];
  const byClass: number[][] = Array.from({ length: outputs }, () => []);
  for (let i = 0; i < test.count; i++) byClass[labels[i]].push(i);
  const accuracies: number[] = [];
  for (const members of byClass) {
    let correct = 0;
    for (let start = 0; start < members.length; start += SLICE) {
      const indices = Int32Array.from(members.slice(start, start + SLICE));
      correct += (await trainer.evaluate(parameters, gatherExamples(test, indices))).correct;
    }
    accuracies.push(members.length === 0 ? 0 : correct / members.length);
  }
  return accuracies;
}
