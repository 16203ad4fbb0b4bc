import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Examples } from "../../../shared/learning/examples.ts";
import type { ParameterVector } from "../../../shared/learning/parameters.ts";

/** How images and their filters lie in memory: PyTorch's default, or the channels of a pixel together. */
export type ImageLayout = "contiguous" | "channels_last";

/** PyTorch in a process of its own that answers one request after another: torch-training.py says which. */
export interface TorchProcess {
  /** Version and BLAS, in a line for people. */
  readonly description: string;
  load(
    model: string,
    layout: ImageLayout,
    parameters: ParameterVector,
    examples: Examples,
    learningRate: number,
  ): Promise<void>;
  /** Goes on training from the parameters that are loaded; the CPU seconds that it took. */
  train(form: "autograd" | "manual", order: Int32Array, batchSize: number): Promise<number>;
  parameters(): Promise<ParameterVector>;
  close(): void;
}

/** PyTorch, or BLAS under it, is not what the baseline has to be. */
export class TorchUnavailable extends Error {}

/**
 * Starts PyTorch on one thread, with OpenBLAS free to choose its kernels for this processor.
 *
 * @throws TorchUnavailable when there is no PyTorch, or when its products of matrices are not OpenBLAS's: the reference
 * BLAS that Debian installs by default is three to fifteen times slower, and a ratio to it would say nothing.
 */
export async function startTorch(python: string): Promise<TorchProcess> {
  const { OPENBLAS_CORETYPE: _core, OPENBLAS_L2_SIZE: _cache, ...inherited } = process.env;
  const child = spawn(python, [trainingScript()], {
    env: { ...inherited, OPENBLAS_NUM_THREADS: "1", OMP_NUM_THREADS: "1" },
    stdio: ["pipe", "pipe", "pipe"],
  });
  const ask = conversation(child, python);
  try {
    const { torch, threads, blas } = (await ask({ op: "about" })) as unknown as About;
    if (blas.name !== "OpenBLAS") {
      throw new TorchUnavailable(`PyTorch ${torch} runs on ${blas.name}; install libopenblas0-pthread`);
    }
    return {
      description: `PyTorch ${torch}, ${blas.config}, kernels for ${blas.core}, ${threads} thread`,
      async load(model, layout, parameters, { inputs, labels }, learningRate) {
        const arrays = { parameters: base64(parameters), examples: base64(inputs), labels: base64(labels) };
        await ask({ op: "load", model, layout, learningRate, ...arrays });
      },
      train: async (form, order, batch) =>
        Number((await ask({ op: "train", form, order: base64(order), batch })).cpuSeconds),
      async parameters() {
        const bytes = Buffer.from(String((await ask({ op: "parameters" })).parameters), "base64");
        return new Float32Array(Uint8Array.from(bytes).buffer);
      },
      close: () => child.kill(),
    };
  } catch (error) {
    child.kill();
    throw error;
  }
}

interface About {
  readonly torch: string;
  readonly threads: number;
  readonly blas: { readonly name: string; readonly config?: string; readonly core?: string };
}

type Answer = Readonly<Record<string, unknown>>;

/** One request at a time, each a line out and a line back. */
function conversation(child: ChildProcess, python: string): (request: Answer) => Promise<Answer> {
  const { stdin, stdout, stderr } = child;
  if (stdin === null || stdout === null || stderr === null) throw new Error("The process has pipes.");
  let complaint = "";
  stderr.setEncoding("utf8").on("data", (text: string) => {
    complaint = (complaint + text).slice(-2000);
  });
  stdin.on("error", () => undefined);
  let failure: TorchUnavailable | undefined;
  let waiting: { resolve(answer: Answer): void; reject(error: Error): void } | undefined;
  const fail = (reason: string) => {
    failure ??= new TorchUnavailable(reason);
    waiting?.reject(failure);
  };
  child.on("error", ({ message }) => fail(`${python} does not start (${message})`));
  child.on("close", () => fail(`${python} ended: ${complaint.trim().split("\n").at(-1) ?? ""}`));
  createInterface({ input: stdout }).on("line", (line) => waiting?.resolve(JSON.parse(line) as Answer));
  return (request) =>
    new Promise((resolve, reject) => {
      waiting = { resolve, reject };
      if (failure === undefined) stdin.write(`${JSON.stringify(request)}\n`);
      else reject(failure);
    });
}

function base64(values: Float32Array | Int32Array): string {
  return Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString("base64");
}

/** The script stays in the sources, wherever this file was compiled to. */
function trainingScript(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, "package.json"))) folder = dirname(folder);
  return join(folder, "tests", "bench", "engine", "torch-training.py");
}
