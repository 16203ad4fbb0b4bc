import { MurmurError } from "../protocol/errors.ts";
import type { ParameterManifest } from "./parameters.ts";

/**
 * Refuses a model that keeps statistics of the examples among its parameters, for a run that is to be differentially
 * private. Batch normalisation makes each example's gradient depend on the other examples of its batch, so that no bound
 * on one example's part holds, and its moving averages are functions of the data that no gradient clipping has bounded.
 *
 * @throws {MurmurError} model-has-statistics, with the tensors' names.
 */
export function refuseStatistics(model: string, { tensors }: ParameterManifest): void {
  const statistics = tensors.filter(({ kind }) => kind === "statistics").map(({ name }) => name);
  if (statistics.length === 0) return;
  const some = statistics.length > 3 ? `${statistics.slice(0, 3).join(", ")}, …` : statistics.join(", ");
  throw new MurmurError("model-has-statistics", `The model "${model}" keeps statistics of the examples: ${some}.`);
}
