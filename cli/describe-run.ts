import type { Invocation } from "./invocation.ts";
import type { RunPlan } from "./run-plan.ts";

/** --dry-run: what would be run, and what would protect it. */
export async function describeRun(
  invocation: Invocation,
  { config, runId, folder, resume, before }: RunPlan,
): Promise<void> {
  const { configDocument, invitedPerRound } = await import("../simulations/experiments/config.ts");
  const { possibleRosters } = await import("../simulations/experiments/config-checks.ts");
  const { basename } = await import("node:path");
  const { datasetTitle } = await import("../simulations/datasets/reference.ts");
  const { fidelityText } = await import("./views/run-headline.ts");
  const { shownPath } = await import("./run-folders.ts");
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
        `${datasetTitle(task.dataset)} ${task.partition.kind}, ${basename(task.model)}, ${fleet.devices} devices, ${invited} invited for ${round.cohort}`,
        secagg.mode === "plaintext"
          ? "PLAINTEXT: the coordinator would see every update"
          : secagg.fidelity === "real"
            ? `masked, ${secagg.level}`
            : fidelityText(secagg.fidelity),
        ...protection,
      ].join("\n");
    },
  );
}
