import { parentPort, workerData } from "node:worker_threads";
import { MurmurError } from "../../../shared/protocol/errors.ts";
import { createFleetTrainer, type FleetSetting, type FleetTrainer } from "./fleet-trainer.ts";
import type { FromWorker, ThreadError, ToWorker } from "./worker-messages.ts";

// The program of one worker thread: an engine and a model that stay, for devices that come and go.

const port = parentPort;
if (port === null) throw new Error("this is the program of a worker thread");

function send(message: FromWorker, transfer: readonly ArrayBuffer[] = []): void {
  port?.postMessage(message, transfer);
}

function describe(error: unknown): ThreadError {
  if (error instanceof MurmurError) return { name: error.name, message: error.message, hint: error.hint };
  return error instanceof Error
    ? { name: error.name, message: error.message }
    : { name: "Error", message: String(error) };
}

async function trainAll(
  trainer: FleetTrainer,
  { batch, work, jobs, into, cancelled }: Extract<ToWorker, { kind: "train" }>,
): Promise<void> {
  for (const job of jobs) {
    if (Atomics.load(cancelled, 0) !== 0) break;
    const { index } = job;
    try {
      if (into === undefined) {
        const result = await trainer.train(work, job);
        send({ kind: "trained", batch, index, result }, [result.parameters.buffer as ArrayBuffer]);
      } else {
        await trainer.trainInto(work, job, into.terms, into.sum);
        send({ kind: "trained", batch, index });
      }
    } catch (error) {
      send({ kind: "failed", batch, index, error: describe(error) });
    }
  }
  send({ kind: "ended", batch });
}

async function handle(trainer: FleetTrainer, message: ToWorker): Promise<void> {
  switch (message.kind) {
    case "train":
      await trainAll(trainer, message);
      break;
    case "evaluate":
      send({ kind: "evaluated", slices: await trainer.evaluate(message.parameters, message.slices) });
      break;
    case "stop":
      await trainer.dispose();
      send({ kind: "stopped" });
      port?.close();
  }
}

try {
  const trainer = await createFleetTrainer(workerData as FleetSetting);
  let last: Promise<void> = Promise.resolve();
  port.on("message", (message: ToWorker) => {
    // One at a time, in order. What fails beyond a single device ends the thread, and the pool hears of it.
    last = last.then(() => handle(trainer, message));
    last.catch((error: unknown) => {
      throw error;
    });
  });
  send({ kind: "ready" });
} catch (error) {
  send({ kind: "broken", error: describe(error) });
}
