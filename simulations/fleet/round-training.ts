import type { TrainingResult } from "../../client/training/trainer.ts";
import type { DeviceId } from "../../shared/protocol/ids.ts";
import type { TrainingOrder } from "./in-process-round.ts";
import type { RoundWork, TrainingJob } from "./training/fleet-trainer.ts";
import type { RoundTraining, SummingTerms, TrainingPool } from "./training/training-pool.ts";

/** A round's trainings as its devices ask for them, on whatever threads there are. */
export interface TrainingDesk {
  prepare(round: number, orders: readonly TrainingOrder[]): void;
  train(round: number, order: TrainingOrder): Promise<TrainingResult>;
  sum(devices: readonly DeviceId[]): Int32Array;
  end(): void;
}

/**
 * @param indexOf a device's place in the fleet
 * @param terms with them updates are added up where they are trained, and devices get none back
 */
export function roundTraining(
  pool: TrainingPool,
  indexOf: (device: DeviceId) => number,
  terms: SummingTerms | undefined,
): TrainingDesk {
  let begun: RoundTraining | undefined;

  function begin(round: number, orders: readonly TrainingOrder[], first: TrainingOrder): RoundTraining {
    const { parameters, task } = first.request;
    const { correction: _, ...common } = task;
    const work: RoundWork = { round, parameters, task: common };
    begun = pool.begin(work, orders.map(jobOf), terms === undefined ? undefined : summing(terms));
    return begun;
  }

  function jobOf({ id, request, earlier }: TrainingOrder): TrainingJob {
    const { correction } = request.task;
    return {
      index: indexOf(id),
      name: id,
      ...(correction === undefined ? {} : { correction }),
      ...(earlier === undefined ? {} : { earlier }),
    };
  }

  return {
    prepare(round, orders) {
      if (orders.length > 0) begin(round, orders, orders[0]);
    },
    async train(round, order) {
      const result = await (begun ?? begin(round, [order], order)).trained(jobOf(order));
      return result ?? SUMMED;
    },
    sum(devices) {
      if (begun === undefined) throw new Error("no device of the round has trained");
      return begun.sum(devices.map(indexOf));
    },
    end: () => begun?.end(),
  };
}

/** The result of a device whose update is in a sum already. */
const SUMMED: TrainingResult = { parameters: new Float32Array(0), examples: 0, lossSum: 0, correct: 0, steps: 0 };

/** Without what else an agreement says: this crosses threads. */
function summing({ transforms, slots, levels, clip, dimension }: SummingTerms): SummingTerms {
  return { transforms, slots, levels, clip, dimension };
}
