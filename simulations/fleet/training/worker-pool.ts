import "../../../client/training/onnx/without-telemetry.ts";
import type { TrainingResult } from "../../../client/training/trainer.ts";
import type { ParameterVector } from "../../../shared/learning/parameters.ts";
import { shareDataset } from "../../datasets/dataset.ts";
import { holdExamples } from "../../datasets/partitions/holdings.ts";
import { addEvaluations, addInto, evaluationSlices, type FleetSetting, type TrainingJob } from "./fleet-trainer.ts";
import { leastLoaded, placeLongestFirst } from "./placement.ts";
import type { RoundTraining, TrainingPool } from "./training-pool.ts";
import type { ToWorker } from "./worker-messages.ts";
import { startThread, type WorkerThread } from "./worker-thread.ts";

/** The worker's program, beside this file; it has to be JavaScript, which the sources that tests run from are not. */
const PROGRAM = new URL("./training-worker.js", import.meta.url);

/**
 * Worker threads, each with an engine and a model of its own; the dataset, the parameters and each worker's partial sum
 * lie in shared memory. The result does not depend on their number: the sums are of integers, and figures are added in a
 * fixed order.
 *
 * @param program what each thread runs
 * @throws {MurmurError} when an engine cannot train the model
 */
export async function createWorkerPool(
  setting: FleetSetting,
  workers: number,
  program: URL = PROGRAM,
): Promise<TrainingPool> {
  const shared = { ...setting, dataset: shareDataset(setting.dataset) };
  const { dataset } = shared;
  const holdings = holdExamples(dataset.train, setting.devices, setting.seed, setting.partition);
  const threads = await startThreads(program, shared, workers);
  const slices = evaluationSlices(dataset.test.count);
  const memory = parameterMemory();
  let batches = 0;

  return {
    workers,
    begin(work, jobs, terms) {
      const lent = new Map<ParameterVector, LentParameters>();
      const parameters = lend(work.parameters);
      const cancelled = new Int32Array(new SharedArrayBuffer(4));
      const sums = threads.map(() => new Int32Array(new SharedArrayBuffer(4 * (terms?.dimension ?? 0))));
      const loads = threads.map(() => 0);
      const pending = new Map<number, Promise<TrainingResult | undefined>>();
      const summed = new Set<number>();
      let unsettled = 0;

      function lend(vector: ParameterVector): LentParameters {
        const known = lent.get(vector) ?? memory.lend(vector);
        lent.set(vector, known);
        return known;
      }

      /** The job with what it begins at where the thread sees it. */
      function shared(job: TrainingJob): TrainingJob {
        if (job.earlier === undefined) return job;
        return { ...job, earlier: { ...job.earlier, parameters: lend(job.earlier.parameters).vector } };
      }

      function give(worker: number, part: readonly TrainingJob[]): void {
        if (part.length === 0) return;
        for (const { index } of part) loads[worker] += holdings.size(index);
        const message: Extract<ToWorker, { kind: "train" }> = {
          kind: "train",
          batch: batches++,
          work: { ...work, parameters: parameters.vector },
          jobs: part.map(shared),
          ...(terms === undefined ? {} : { into: { terms, sum: sums[worker] } }),
          cancelled,
        };
        const held = [...lent.values()];
        for (const { hold } of held) hold();
        const ended = () => held.forEach(({ release }) => void release());
        for (const [index, result] of threads[worker].train(message, ended)) {
          unsettled++;
          const settling = result.then((trained) => {
            summed.add(index);
            return trained;
          });
          // Whoever asks for the device meets its error.
          settling.catch(() => undefined).finally(() => unsettled--);
          pending.set(index, settling);
        }
      }

      const sizes = jobs.map(({ index }) => holdings.size(index));
      for (const [worker, part] of placeLongestFirst(sizes, threads.length).entries()) {
        give(
          worker,
          part.map((job) => jobs[job]),
        );
      }
      return {
        trained(job) {
          if (!pending.has(job.index)) give(leastLoaded(loads), [job]);
          return pending.get(job.index) ?? Promise.reject(new Error("a device that was given to a worker is pending"));
        },
        async summed() {
          await Promise.allSettled(pending.values());
          return summed;
        },
        sum() {
          if (unsettled > 0) throw new Error(`${unsettled} devices are still being added up`);
          const total = new Int32Array(terms?.dimension ?? 0);
          for (const part of sums) addInto(total, part);
          return total;
        },
        end() {
          Atomics.store(cancelled, 0, 1);
          for (const { release } of lent.values()) release();
        },
      } satisfies RoundTraining;
    },
    async evaluate(parameters) {
      const evaluated = memory.lend(parameters);
      try {
        const share = Math.ceil(slices.length / threads.length);
        const parts = threads.map((_, i) => slices.slice(i * share, (i + 1) * share));
        const results = await Promise.all(threads.map((thread, i) => thread.evaluate(evaluated.vector, parts[i])));
        return addEvaluations(results.flat());
      } finally {
        evaluated.release();
      }
    },
    async dispose() {
      await Promise.all(threads.map((thread) => thread.stop()));
    },
  };
}

async function startThreads(program: URL, setting: FleetSetting, workers: number): Promise<readonly WorkerThread[]> {
  const started = await Promise.allSettled(Array.from({ length: workers }, () => startThread(program, setting)));
  const threads = started.flatMap((thread) => (thread.status === "fulfilled" ? [thread.value] : []));
  const failed = started.find((thread) => thread.status === "rejected");
  if (failed === undefined) return threads;
  await Promise.all(threads.map((thread) => thread.stop()));
  throw failed.reason;
}

/** A vector where every thread sees it, until it is released as often as it was held, and once more. */
interface LentParameters {
  readonly vector: ParameterVector;
  hold(): void;
  release(): void;
}

/** Copies of parameter vectors in shared memory, used again once nobody trains from them. */
function parameterMemory() {
  const free: ParameterVector[] = [];
  return {
    lend(parameters: ParameterVector): LentParameters {
      const at = free.findIndex(({ length }) => length === parameters.length);
      const [vector] = at < 0 ? [sharedVector(parameters.length)] : free.splice(at, 1);
      vector.set(parameters);
      let holders = 1;
      return {
        vector,
        hold() {
          holders++;
        },
        release() {
          if (--holders === 0) free.push(vector);
        },
      };
    },
  };
}

function sharedVector(length: number): ParameterVector {
  return new Float32Array(new SharedArrayBuffer(Float32Array.BYTES_PER_ELEMENT * length));
}
