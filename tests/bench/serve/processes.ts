import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";

/** What a process of the benchmark can be asked. Arguments and answers are structured clones. */
export type Calls = { readonly [name: string]: (...args: never[]) => unknown };

export interface BenchProcess<C extends Calls> {
  ask<Name extends keyof C & string>(call: Name, ...args: Parameters<C[Name]>): Promise<Awaited<ReturnType<C[Name]>>>;
  /** Ends it; resolves once it is gone. */
  end(): Promise<void>;
}

/** Starts a file of this folder, named without its ending, as a process of its own. */
export type StartProcess = <C extends Calls>(file: string) => BenchProcess<C>;

export interface Question {
  readonly id: number;
  readonly call: string;
  readonly args: readonly unknown[];
}

export type Answer = { readonly id: number; readonly value: unknown } | { readonly id: number; readonly error: string };

export interface ProcessLimits {
  /** Milliseconds that all of the work may take. */
  readonly deadline: number;
  /** Ends the work early. */
  readonly interrupt: AbortSignal;
}

/**
 * Does work with processes, none of which outlives it: they are killed when the work is done or has failed, at the
 * deadline, on an interrupt, and when one of them ends by itself. Should this process be killed, the others see their
 * channel close and end too.
 */
export async function withProcesses<Result>(
  { deadline, interrupt }: ProcessLimits,
  work: (start: StartProcess) => Promise<Result>,
): Promise<Result> {
  const running = new Set<BenchProcess<Calls>>();
  let fail: (error: Error) => void = () => {};
  const failed = new Promise<never>((_resolve, reject) => {
    fail = reject;
  });
  const timer = setTimeout(() => fail(new Error(`the benchmark took longer than ${deadline / 1000} s`)), deadline);
  const stop = () => fail(new Error("the benchmark was interrupted"));
  interrupt.addEventListener("abort", stop);

  function start<C extends Calls>(file: string): BenchProcess<C> {
    const started = startProcess<C>(file, {
      died(how) {
        running.delete(started);
        fail(new Error(`${file} ended by itself, with ${how}`));
      },
      ended: () => running.delete(started),
    });
    running.add(started);
    return started;
  }

  try {
    if (interrupt.aborted) stop();
    return await Promise.race([failed, work(start)]);
  } finally {
    clearTimeout(timer);
    interrupt.removeEventListener("abort", stop);
    await Promise.all([...running].map((process) => process.end()));
  }
}

function startProcess<C extends Calls>(
  file: string,
  observer: { died(how: string): void; ended(): void },
): BenchProcess<C> {
  const path = fileURLToPath(new URL(`./${file}.js`, import.meta.url));
  const child: ChildProcess = fork(path, [], {
    execArgv: ["--expose-gc", ...profiling()],
    serialization: "advanced",
    // Standard output is the document's.
    stdio: ["ignore", 2, 2, "ipc"],
  });
  const open = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  let asked = 0;
  let ending = false;
  const gone = new Promise<void>((resolve) => {
    child.once("exit", (code, signal) => {
      if (ending) observer.ended();
      else observer.died(signal ?? `code ${code}`);
      for (const { reject } of open.values()) reject(new Error(`${file} has ended`));
      resolve();
    });
  });
  child.on("message", (message) => {
    const answer = message as Answer;
    const question = open.get(answer.id);
    open.delete(answer.id);
    if ("error" in answer) question?.reject(new Error(`${file}: ${answer.error}`));
    else question?.resolve(answer.value);
  });
  return {
    ask(call, ...args) {
      return new Promise((resolve, reject) => {
        const id = asked++;
        open.set(id, { resolve: (value) => resolve(value as never), reject });
        child.send({ id, call, args } satisfies Question, (error) => {
          if (error !== null) reject(error);
        });
      });
    },
    async end() {
      ending = true;
      if (profiling().length === 0) child.kill("SIGKILL");
      else if (child.connected) child.disconnect();
      await gone;
    },
  };
}

/** With MURMUR_BENCH_PROFILES=FOLDER each process leaves a CPU profile there. */
function profiling(): string[] {
  const folder = process.env.MURMUR_BENCH_PROFILES;
  return folder === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${folder}`];
}
