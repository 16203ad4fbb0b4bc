import type { Examples } from "../../shared/learning/examples.ts";
import type { DealtSimulation, Welcome } from "../../shared/protocol/connection-messages.ts";
import { MurmurError } from "../../shared/protocol/errors.ts";
import { type Dataset, gatherExamples, isDatasetName, loadDataset } from "../datasets/index.ts";
import { type Holdings, holdExamples } from "../datasets/partitions/holdings.ts";
import { parsePartition } from "../datasets/partitions/specification.ts";

/** The data of the experiment that a process's devices were dealt into: loaded and dealt once, whatever their number. */
export interface DealtData {
  /**
   * What a device was dealt; loading begins.
   * @throws {MurmurError} `device-refused` when it was dealt nothing, or something that this program does not know, or
   * into another experiment than the devices before it
   */
  join(welcome: Welcome): DealtSimulation;
  /** @throws {MurmurError} when the data cannot be loaded or dealt */
  examples(place: DealtSimulation): Promise<Examples>;
}

export function createDealtData(): DealtData {
  let experiment: { readonly name: string; readonly data: Promise<{ dataset: Dataset; holdings: Holdings }> };

  function join({ simulation }: Welcome): DealtSimulation {
    if (simulation === undefined) {
      throw refused("The coordinator's task is not a simulation, and these devices have no data of their own.");
    }
    const { index: _, ...shared } = simulation;
    const name = JSON.stringify(shared);
    experiment ??= { name, data: deal(simulation) };
    if (experiment.name === name) return simulation;
    throw new MurmurError("device-refused", "The coordinator deals from another experiment than before.", {
      hint: "It was started with another configuration: start these devices again.",
    });
  }

  return {
    join,
    async examples(place) {
      const { dataset, holdings } = await experiment.data;
      return gatherExamples(dataset.train, holdings.examples(place.index));
    },
  };
}

/** As `murmur run` deals them. */
function deal(simulation: DealtSimulation): Promise<{ dataset: Dataset; holdings: Holdings }> {
  const { seed, dataset: name, partition: specification, devices } = simulation;
  const spec = parsePartition(specification);
  if (spec === undefined || !isDatasetName(name)) {
    throw refused(`This program knows no ${JSON.stringify(name)} dealt as ${JSON.stringify(specification)}.`);
  }
  const data = loadDataset(name, seed).then((dataset) => ({
    dataset,
    holdings: holdExamples(dataset.train, devices, seed, spec),
  }));
  // Whoever trains meets the error.
  data.catch(() => undefined);
  return data;
}

function refused(message: string): MurmurError {
  return new MurmurError("device-refused", message, {
    hint: "Use the same version of the program as the coordinator's, and a task that is a simulation.",
  });
}
