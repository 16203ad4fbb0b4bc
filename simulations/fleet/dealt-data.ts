import type { Examples } from "../../shared/learning/examples.ts";
import type { DealtSimulation, Welcome } from "../../shared/protocol/connection-messages.ts";
import { MurmurError } from "../../shared/protocol/errors.ts";
import { type Dataset, type DatasetSpec, gatherExamples, isDatasetName, loadDataset } from "../datasets/index.ts";
import { type Holdings, holdExamples } from "../datasets/partitions/holdings.ts";
import { parsePartition } from "../datasets/partitions/specification.ts";
import { datasetReference, datasetTitle } from "../datasets/reference.ts";

/** The data of the experiment that a process's devices were dealt into: loaded and dealt once, whatever their number. */
export interface DealtData {
  /**
   * What a device was dealt; loading begins.
   * @throws {MurmurError} `device-refused` when it was dealt nothing, or something that this program does not know, or
   * into another experiment than the devices before it
   */
  join(welcome: Welcome): DealtSimulation;
  /** @throws {MurmurError} when the data cannot be loaded or dealt, or are not the coordinator's */
  dataset(): Promise<Dataset>;
  /** @throws {MurmurError} as {@link dataset} */
  examples(place: DealtSimulation): Promise<Examples>;
}

/** @param own the dataset that this process was given, where the coordinator's has no name that everybody knows */
export function createDealtData(own?: DatasetSpec): DealtData {
  let experiment: { readonly name: string; readonly data: Promise<{ dataset: Dataset; holdings: Holdings }> };

  function join({ simulation }: Welcome): DealtSimulation {
    if (simulation === undefined) {
      throw refused("The coordinator's task is not a simulation, and these devices have no data of their own.");
    }
    const { index: _, ...shared } = simulation;
    const name = JSON.stringify(shared);
    experiment ??= { name, data: deal(simulation, own) };
    if (experiment.name === name) return simulation;
    throw new MurmurError("device-refused", "The coordinator deals from another experiment than before.", {
      hint: "It was started with another configuration: start these devices again.",
    });
  }

  return {
    join,
    dataset: async () => (await experiment.data).dataset,
    async examples(place) {
      const { dataset, holdings } = await experiment.data;
      return gatherExamples(dataset.train, holdings.examples(place.index));
    },
  };
}

/** As `murmur run` deals them. */
function deal(
  simulation: DealtSimulation,
  own: DatasetSpec | undefined,
): Promise<{ dataset: Dataset; holdings: Holdings }> {
  const { seed, dataset: reference, partition: specification, devices } = simulation;
  const spec = parsePartition(specification);
  if (spec === undefined) throw refused(`This program knows no partition ${JSON.stringify(specification)}.`);
  const data = loadReferred(reference, own, seed).then((dataset) => ({
    dataset,
    holdings: holdExamples(dataset.train, devices, seed, spec),
  }));
  // Whoever trains meets the error.
  data.catch(() => undefined);
  return data;
}

/** A dataset by its name; or else the one that this process was given, if it is the one that is meant. */
function loadReferred(reference: string, own: DatasetSpec | undefined, seed: number): Promise<Dataset> {
  if (isDatasetName(reference)) return loadDataset(reference, seed);
  const [kind] = reference.split(":", 1);
  if (own === undefined || typeof own === "string" || own.kind !== kind) {
    throw new MurmurError(
      "device-refused",
      `The coordinator deals from files (${kind}), and these devices were given none.`,
      {
        hint: "Give them the coordinator's configuration: `murmur join URL --config config.yaml`, with the same files.",
      },
    );
  }
  return loadDataset(own, seed).then((dataset) => {
    if (datasetReference(own, dataset) === reference) return dataset;
    throw new MurmurError(
      "device-refused",
      `The dataset ${datasetTitle(own)} is not the coordinator's: its content differs.`,
      {
        hint: "Give the devices the coordinator's files, and the same seed.",
      },
    );
  });
}

function refused(message: string): MurmurError {
  return new MurmurError("device-refused", message, {
    hint: "Use the same version of the program as the coordinator's, and a task that is a simulation.",
  });
}
