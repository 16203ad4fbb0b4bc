import { MurmurError } from "../../shared/protocol/errors.ts";
import type { RunConfig } from "../../simulations/experiments/config.ts";
import type { RunResult } from "../../simulations/experiments/run-result.ts";
import type { CommandDefinition } from "../command.ts";
import type { Signal } from "../edge.ts";
import type { Invocation } from "../invocation.ts";
import type { RunProgress } from "../views/run-progress.ts";

/** `murmur run [config.yaml]`: simulates a fleet end to end, into runs/<id>/. */
export const run: CommandDefinition = (parent, act) => {
  parent
    .command("run")
    .argument("[config.yaml]", "configuration file; without one, MNIST with 100 devices")
    .description("simulate a fleet end to end, into runs/<id>/")
    .option("--resume [run]", "go on with a run that was stopped; without an id, with the last one")
    .action(
      act(async (invocation, [file], { resume }) => {
        const plan = resume === undefined ? await newRun(invocation, file) : await resumedRun(invocation, file, resume);
        if (invocation.flags.dryRun) return describePlan(invocation, plan);
        await carryOut(invocation, plan);
      }),
    );
};

interface Plan {
  readonly config: RunConfig;
  readonly runId: string;
  readonly folder: string;
  readonly resume: boolean;
  /** What an earlier process got done. */
  readonly before: RunProgress;
}

async function newRun(invocation: Invocation, file: string | undefined): Promise<Plan> {
  const { existsSync } = await import("node:fs");
  const { join } = await import("node:path");
  const { loadConfiguration } = await import("../configuration.ts");
  const { runsFolder } = await import("../run-folders.ts");
  const { cryptoProvider } = await import("../../shared/crypto/node-provider.ts");
  const { toHex } = await import("../../shared/crypto/bytes.ts");
  const { emptyProgress } = await import("../views/run-progress.ts");
  const { config } = loadConfiguration(invocation.sources(file));
  const runs = runsFolder(invocation);
  const fresh = (bytes: number): string => {
    const id = toHex(cryptoProvider.random.bytes(bytes));
    return existsSync(join(runs, id)) ? fresh(bytes + 1) : id;
  };
  const runId = fresh(2);
  return { config, runId, folder: join(runs, runId), resume: false, before: emptyProgress(runId) };
}

async function resumedRun(invocation: Invocation, file: string | undefined, name: unknown): Promise<Plan> {
  if (file !== undefined || invocation.sources().file !== undefined || invocation.sources().assignments.length > 0) {
    throw new MurmurError("usage", "A run is resumed with the configuration that it was started with.", {
      hint: "Leave the configuration, --set and --seed out (and MURMUR_CONFIG, MURMUR_SET, MURMUR_SEED).",
    });
  }
  const { findRun, readRun, runIds, runsFolder } = await import("../run-folders.ts");
  const { runConfigSchema } = await import("../../simulations/experiments/config.ts");
  const { openRunReader } = await import("../../server/store/run-reader.ts");
  const { advance, emptyProgress } = await import("../views/run-progress.ts");
  const { join } = await import("node:path");
  const latest = () => {
    const runs = runsFolder(invocation);
    const stopped = runIds(runs)
      .map((id) => readRun(join(runs, id)))
      .filter(({ status }) => status === "interrupted" || status === "failed")
      .sort((a, b) => b.meta.startedAt - a.meta.startedAt);
    if (stopped.length > 0) return stopped[0].folder;
    throw new MurmurError("run-not-found", "There is no run to resume: none was stopped before its end.");
  };
  const folder = typeof name === "string" ? findRun(invocation, name) : latest();
  const { meta } = readRun(folder);
  const reader = openRunReader(folder);
  const before = reader.events().reduce(advance, emptyProgress(meta.run));
  reader.close();
  return { config: runConfigSchema.parse(meta.config), runId: meta.run, folder, resume: true, before };
}

async function carryOut(invocation: Invocation, plan: Plan): Promise<void> {
  const { edge } = invocation;
  const { createRunDisplay } = await import("../run-display.ts");
  const { takeStamp } = await import("../stamp.ts");
  const { shownPath } = await import("../run-folders.ts");
  const { runExperiment } = await import("../../simulations/experiments/run.ts");
  const display = createRunDisplay(invocation, plan.before);
  const { createStopSwitch } = await import("../../shared/time/stop-signal.ts");
  const { federateInProcess } = await import("../../simulations/experiments/federate-in-process.ts");
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
      federate: federateInProcess,
      stamp: takeStamp(edge),
      provider: await cryptoOf(plan.config),
      stop,
      clock: () => edge.clock(),
      breathe: () => edge.breathe(),
      onEvent(event) {
        display.show(event);
        // Whoever listened is gone, as in `murmur run --format ndjson | head`.
        if (edge.stdout.closed) stop.ask("now");
      },
    });
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
  const { readRun } = await import("../run-folders.ts");
  const { runSummary, textColumns } = await import("../views/run-summary.ts");
  invocation.result({ ...result, folder: shownPath(edge.cwd, plan.folder) }, (paint) =>
    runSummary(readRun(plan.folder), { paint, cwd: edge.cwd, columns: textColumns(edge), rounds: "some" }).join("\n"),
  );
}

function exitCodeOf(result: RunResult, signal: Signal | undefined, readerGone: boolean): number {
  if (result.status === "interrupted")
    return signal === "SIGTERM" ? 143 : signal === undefined && readerGone ? 141 : 130;
  if (result.status !== "done") return 5;
  return result.thresholds.every(({ ok }) => ok) ? (result.ok ? 0 : 6) : 99;
}

async function cryptoOf({ secagg }: RunConfig) {
  const provider =
    secagg.provider === "node"
      ? await import("../../shared/crypto/node-provider.ts")
      : await import("../../shared/crypto/portable-provider.ts");
  return provider.cryptoProvider;
}

/** --dry-run: what would be run, and what would protect it. */
async function describePlan(invocation: Invocation, { config, runId, folder, resume, before }: Plan): Promise<void> {
  const { configDocument, invitedPerRound } = await import("../../simulations/experiments/config.ts");
  const { possibleRosters } = await import("../../simulations/experiments/config-checks.ts");
  const { shownPath } = await import("../run-folders.ts");
  const invited = invitedPerRound(config);
  const graphs = config.secagg.mode === "plaintext" ? [] : possibleRosters(config);
  const where = shownPath(invocation.edge.cwd, folder);
  invocation.result(
    { ok: true, dryRun: true, resume, run: runId, folder: where, invited, graphs, config: configDocument(config) },
    () => {
      const { task, fleet, round, secagg } = config;
      const left = round.count - before.history.length;
      const protection = graphs
        .filter((_, i) => i === 0 || i === graphs.length - 1)
        .map(
          ({ roster, parameters: { graph, degree, threshold } }) =>
            `  roster of ${roster}: ${graph} graph, degree ${degree}, threshold ${threshold}`,
        );
      return [
        `would ${resume ? `resume ${where} for` : `run in ${where}`} ${left} rounds`,
        `${task.dataset} ${task.partition.kind}, ${task.model}, ${fleet.devices} devices, ${invited} invited for ${round.cohort}`,
        secagg.mode === "plaintext" ? "PLAINTEXT: the coordinator would see every update" : `masked, ${secagg.level}`,
        ...protection,
      ].join("\n");
    },
  );
}
