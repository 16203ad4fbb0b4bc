import type { TrainingResult } from "../../client/training/trainer.ts";
import type { DeviceId } from "../../shared/protocol/ids.ts";
import type { TrainingOrder } from "./in-process-round.ts";
import type { RoundWork, TrainingJob } from "./training/fleet-trainer.ts";
import type { RoundTraining, SummingTerms, TrainingPool } from "./training/training-pool.ts";

/** A round's trainings, on whatever threads there are. */
export interface TrainingDesk {
  /** Begins with those whose updates are going to be in the sum. */
  prepare(orders: readonly TrainingOrder[]): void;
  train(order: TrainingOrder): Promise<TrainingResult>;
  /**
   * The ring sum over these devices. Where devices failed that should have been in it, or others were added up than came
   * through, it is made anew from those that did.
   */
  sum(devices: readonly DeviceId[]): Promise<Int32Array>;
  end(): void;
}

/**
 * @param indexOf a device's place in the fleet
 * @param terms with them updates are added up where they are trained, and devices get none back
 */
export function trainingDesk(
  pool: TrainingPool,
  round: number,
  indexOf: (device: DeviceId) => number,
  terms: SummingTerms | undefined,
): TrainingDesk {
  const begun: RoundTraining[] = [];
  const orders = new Map<DeviceId, TrainingOrder>();

  function begin(first: TrainingOrder, all: readonly TrainingOrder[]): RoundTraining {
    const { parameters, task } = first.request;
    const { correction: _, ...common } = task;
    const work: RoundWork = { round, parameters, task: common };
    const training = pool.begin(work, all.map(jobOf), terms === undefined ? undefined : summing(terms));
    begun.unshift(training);
    return training;
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

  function orderOf(device: DeviceId): TrainingOrder {
    const order = orders.get(device);
    if (order === undefined) throw new Error(`${device} survived and was never asked to train`);
    return order;
  }

  return {
    prepare(wanted) {
      for (const order of wanted) orders.set(order.id, order);
      if (wanted.length > 0) begin(wanted[0], wanted);
    },
    async train(order) {
      orders.set(order.id, order);
      const result = await (begun[0] ?? begin(order, [order])).trained(jobOf(order));
      return result ?? NO_UPDATE;
    },
    async sum(devices) {
      // A roster in which nobody was drawn still has its sum.
      if (devices.length === 0) return new Int32Array(terms?.dimension ?? 0);
      const summed = begun.length === 0 ? new Set<number>() : await begun[0].summed();
      if (devices.length === summed.size && devices.every((device) => summed.has(indexOf(device)))) {
        return begun[0].sum();
      }
      const survived = devices.map(orderOf);
      const again = begin(survived[0], survived);
      await Promise.all(survived.map((order) => again.trained(jobOf(order))));
      return again.sum();
    },
    end: () => begun.forEach((training) => void training.end()),
  };
}

/** The result of a device that has no update to hand over: it is in a sum already, or is not going to be in one. */
export const NO_UPDATE: TrainingResult = {
  parameters: new Float32Array(0),
  examples: 0,
  lossSum: 0,
  correct: 0,
  steps: 0,
};

/** Without what else an agreement says: this crosses threads. */
function summing({ transforms, slots, levels, clip, dimension }: SummingTerms): SummingTerms {
  return { transforms, slots, levels, clip, dimension };
}
