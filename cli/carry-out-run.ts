import type { Transport } from "../shared/protocol/run-meta.ts";
import type { StopSwitch } from "../shared/time/stop-signal.ts";
import type { RunConfig } from "../simulations/experiments/config.ts";
import type { Federate } from "../simulations/experiments/run-context.ts";
import type { RunResult } from "../simulations/experiments/run-result.ts";
import type { Signal } from "./edge.ts";
import type { Invocation } from "./invocation.ts";
import type { RunPlan } from "./run-plan.ts";

/** What a command adds to a run. */
export interface RunKind {
  readonly transport: Transport;
  /** Brings the devices. */
  federate(surroundings: RunSurroundings): Federate;
}

export interface RunSurroundings {
  readonly stop: StopSwitch;
  /** Prints a line above whatever view there is. */
  print(text: string): void;
}

/** Runs a plan to its end, with its view, its signals, its result and its exit code. */
export async function carryOutRun(invocation: Invocation, plan: RunPlan, kind: RunKind): Promise<void> {
  const { edge } = invocation;
  const { createRunDisplay } = await import("./run-display.ts");
  const { machineTime } = await import("./machine-time.ts");
  const { takeStamp } = await import("./stamp.ts");
  const { discardUnborn, shownPath } = await import("./run-folders.ts");
  const { runExperiment } = await import("../simulations/experiments/run.ts");
  const display = createRunDisplay(invocation, plan.before);
  const { createStopSwitch } = await import("../shared/time/stop-signal.ts");
  const stop = createStopSwitch();
  let signal: Signal | undefined;
  const restore = edge.onSignal((received) => {
    signal ??= received;
    stop.ask(stop.request === "none" ? "after-round" : "now");
    display.stopping(stop.request);
    if (stop.request !== "now") return;
    // A third signal ends the process as any other; it must not find the cursor hidden.
    display.end();
    restore();
  });
  let result: RunResult;
  try {
    result = await runExperiment({
      ...plan,
      transport: kind.transport,
      federate: kind.federate({ stop, print: display.print }),
      stamp: takeStamp(edge),
      provider: await cryptoOf(plan.config),
      stop,
      clock: () => edge.clock(),
      stopwatch: machineTime.monotonic,
      breathe: () => edge.breathe(),
      onEvent(event) {
        display.show(event);
        // Whoever listened is gone, as in `murmur run --format ndjson | head`.
        if (edge.stdout.closed) stop.ask("now");
      },
    });
  } catch (error) {
    if (!plan.resume) discardUnborn(plan.folder);
    throw error;
  } finally {
    restore();
    display.end();
  }
  invocation.endWith(exitCodeOf(result, signal, edge.stdout.closed));
  if (result.status === "failed") {
    const inARow = plan.config.round.maxAbandoned + 1;
    invocation.note(`the run failed: ${inARow} rounds in a row were abandoned; \`murmur explain run-failed\``);
  }
  if (invocation.flags.format === "ndjson") return;
  const { readRun } = await import("./run-folders.ts");
  const { runSummary, textColumns } = await import("./views/run-summary.ts");
  const { runFigures } = await import("./run-figures.ts");
  const run = readRun(plan.folder);
  const { privacy } = runFigures(run);
  invocation.result({ ...result, privacy, folder: shownPath(edge.cwd, plan.folder) }, (paint) =>
    runSummary(run, { paint, cwd: edge.cwd, columns: textColumns(edge), rounds: "some" }).join("\n"),
  );
}

function exitCodeOf(result: RunResult, signal: Signal | undefined, readerGone: boolean): number {
  if (result.status === "interrupted") {
    // Without either, the operator asked for it over the network.
    if (signal === undefined) return readerGone ? 141 : 0;
    return signal === "SIGTERM" ? 143 : 130;
  }
  if (result.status !== "done") return 5;
  return result.thresholds.every(({ ok }) => ok) ? (result.ok ? 0 : 6) : 99;
}

async function cryptoOf({ secagg }: RunConfig) {
  const provider =
    secagg.provider === "node"
      ? await import("../shared/crypto/node-provider.ts")
      : await import("../shared/crypto/portable-provider.ts");
  return provider.cryptoProvider;
}
