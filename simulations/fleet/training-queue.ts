/** Runs one training at a time: they share a process's core, and an engine its sessions. */
export interface TrainingQueue {
  /** `train`'s result, or undefined when it is not wanted any more at its turn. */
  run<T>(wanted: () => boolean, train: () => Promise<T>): Promise<T | undefined>;
  /** Once what was asked for until now is done. */
  idle(): Promise<unknown>;
}

/** @param breathe lets the process's other events in before each training: frames, heartbeats, signals. */
export function createTrainingQueue(breathe: () => Promise<void>): TrainingQueue {
  let last: Promise<unknown> = Promise.resolve();
  return {
    run(wanted, train) {
      const mine = last.then(async () => {
        if (!wanted()) return undefined;
        await breathe();
        return wanted() ? train() : undefined;
      });
      // One that fails does not stop those behind it.
      last = mine.catch(() => undefined);
      return mine;
    },
    idle: () => last,
  };
}
