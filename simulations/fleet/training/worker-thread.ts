import "../../../client/training/onnx/without-telemetry.ts";
import { SHARE_ENV, Worker } from "node:worker_threads";
import type { Evaluation, TrainingResult } from "../../../client/training/trainer.ts";
import type { ParameterVector } from "../../../shared/learning/parameters.ts";
import { ERROR_CATALOGUE, type ErrorName } from "../../../shared/protocol/error-catalogue.ts";
import { MurmurError } from "../../../shared/protocol/errors.ts";
import type { FleetSetting } from "./fleet-trainer.ts";
import type { FromWorker, ThreadError, ToWorker } from "./worker-messages.ts";

/** One worker thread: messages go in, promises come out. */
export interface WorkerThread {
  /**
   * Has its jobs done. By device: its result, nothing where results are added up, or the error.
   * @param ended called when nothing more comes of them
   */
  train(message: Extract<ToWorker, { kind: "train" }>, ended: () => void): ReadonlyMap<number, Trained>;
  evaluate(parameters: ParameterVector, slices: readonly number[]): Promise<readonly Evaluation[]>;
  stop(): Promise<void>;
}

/** What a device leaves behind is small and short-lived: V8's 48 MB of room for it would only be touched, never needed. */
const LIMITS = { maxYoungGenerationSizeMb: 8 };

/** A thread is gone, with all that it was to do: no device's fault, and no later round fares better. */
export class WorkerLost extends Error {}

type Trained = Promise<TrainingResult | undefined>;

interface Settle<T> {
  resolve(value: T): void;
  reject(error: Error): void;
}

interface Batch {
  readonly waiting: Map<number, Settle<TrainingResult | undefined>>;
  ended(): void;
}

/**
 * Starts a thread and waits until its engine is ready.
 * @throws {MurmurError} when the engine cannot train the model
 */
export async function startThread(program: URL, setting: FleetSetting): Promise<WorkerThread> {
  // The environment is shared, because a native library reads the process's.
  const worker = new Worker(program, { workerData: setting, env: SHARE_ENV, resourceLimits: LIMITS });
  const batches = new Map<number, Batch>();
  const evaluations: Settle<readonly Evaluation[]>[] = [];
  let started: Settle<void> | undefined;
  let stopped: (() => void) | undefined;
  let broken: Error | undefined;

  function breakDown(error: Error): void {
    broken ??= error;
    started?.reject(error);
    for (const waiting of evaluations.splice(0)) waiting.reject(error);
    for (const { waiting, ended } of batches.values()) {
      for (const { reject } of waiting.values()) reject(error);
      ended();
    }
    batches.clear();
    stopped?.();
  }

  function take(message: FromWorker): void {
    switch (message.kind) {
      case "ready":
        started?.resolve();
        break;
      case "broken":
        breakDown(restored(message.error));
        break;
      case "trained":
        settle(message.batch, message.index)?.resolve(message.result);
        break;
      case "failed":
        settle(message.batch, message.index)?.reject(restored(message.error));
        break;
      case "ended":
        end(message.batch);
        break;
      case "evaluated":
        evaluations.shift()?.resolve(message.slices);
        break;
      case "stopped":
        stopped?.();
        break;
    }
  }

  function settle(batch: number, index: number): Settle<TrainingResult | undefined> | undefined {
    const waiting = batches.get(batch)?.waiting;
    const found = waiting?.get(index);
    waiting?.delete(index);
    return found;
  }

  function end(number: number): void {
    const batch = batches.get(number);
    if (batch === undefined) return;
    batches.delete(number);
    for (const { reject } of batch.waiting.values()) reject(new Error("the round ended before this device trained"));
    batch.ended();
  }

  worker.on("message", take);
  worker.on("error", (cause) => {
    breakDown(new WorkerLost(`a worker thread failed: ${cause instanceof Error ? cause.message : cause}`, { cause }));
  });
  worker.on("exit", (code) => breakDown(new WorkerLost(`a worker thread ended with code ${code}`)));
  try {
    await new Promise<void>((resolve, reject) => {
      started = { resolve, reject };
    });
  } catch (error) {
    await worker.terminate();
    throw error;
  } finally {
    started = undefined;
  }

  return {
    train(message, ended) {
      const waiting: Batch["waiting"] = new Map();
      const results = new Map<number, Trained>();
      for (const { index } of message.jobs) {
        const result = new Promise<TrainingResult | undefined>((resolve, reject) => {
          waiting.set(index, { resolve, reject });
        });
        // Whoever asks for the device meets the error; a device that nobody asks for any more has none to meet.
        result.catch(() => undefined);
        results.set(index, result);
      }
      batches.set(message.batch, { waiting, ended });
      if (broken === undefined) worker.postMessage(message);
      else breakDown(broken);
      return results;
    },
    evaluate(parameters, slices) {
      if (slices.length === 0) return Promise.resolve([]);
      return new Promise((resolve, reject) => {
        evaluations.push({ resolve, reject });
        if (broken === undefined) worker.postMessage({ kind: "evaluate", parameters, slices } satisfies ToWorker);
        else breakDown(broken);
      });
    },
    async stop() {
      if (broken === undefined) {
        await new Promise<void>((resolve) => {
          stopped = resolve;
          worker.postMessage({ kind: "stop" } satisfies ToWorker);
        });
      }
      await worker.terminate();
    },
  };
}

function restored({ name, message, hint }: ThreadError): Error {
  if (Object.hasOwn(ERROR_CATALOGUE, name)) {
    return new MurmurError(name as ErrorName, message, hint === undefined ? {} : { hint });
  }
  const error = new Error(message);
  error.name = name;
  return error;
}
