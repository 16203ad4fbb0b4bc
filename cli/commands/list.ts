import type { DatasetSpec } from "../../simulations/datasets/index.ts";
import type { CommandDefinition } from "../command.ts";

/** `murmur list`: the runs there are, newest first. */
export const list: CommandDefinition = (parent, act) => {
  parent
    .command("list")
    .alias("ls")
    .description("the runs there are, newest first")
    .action(
      act(async (invocation) => {
        const { basename } = await import("node:path");
        const { datasetTitle } = await import("../../simulations/datasets/reference.ts");
        const { readRun, runIds, runsFolder, shownPath } = await import("../run-folders.ts");
        const { runFigures } = await import("../run-figures.ts");
        const { countText, percentText, secondsText, table } = await import("../views/figures.ts");
        const runs = runsFolder(invocation);
        const rows = runIds(runs).map((id) => {
          try {
            const run = readRun(`${runs}/${id}`);
            const { task } = run.meta.config as { task?: { dataset: DatasetSpec; model: string } };
            return {
              ...runFigures(run),
              dataset: task === undefined ? "" : datasetTitle(task.dataset),
              model: basename(task?.model ?? ""),
            };
          } catch (error) {
            // One damaged folder must not hide the others.
            return { run: id, status: "damaged", folder: `${runs}/${id}`, detail: (error as Error).message };
          }
        });
        rows.sort((a, b) => (("startedAt" in a ? a.startedAt : "") < ("startedAt" in b ? b.startedAt : "") ? 1 : -1));
        invocation.result(rows, (paint) => {
          if (rows.length === 0) return `no runs in ${shownPath(invocation.edge.cwd, runs)}; \`murmur run\` makes one`;
          const cells = rows.map((row) =>
            "startedAt" in row
              ? [
                  row.run,
                  statusText(row.status, paint),
                  row.startedAt.slice(0, 16).replace("T", " "),
                  `${row.dataset} ${row.model}`,
                  row.masks,
                  countText(row.committed),
                  percentText(row.accuracy),
                  secondsText(row.seconds),
                ]
              : [row.run, paint.error("damaged"), "", row.detail, "", "", "", ""],
          );
          const heads = ["run", "status", "started (UTC)", "task", "masks", "rounds", "acc", "time"].map((head) =>
            paint.dim(head),
          );
          return table([heads, ...cells], [5, 6, 7]).join("\n");
        });
      }),
    );

  function statusText(
    status: string,
    paint: { learnt(text: string): string; warning(text: string): string; error(text: string): string },
  ): string {
    if (status === "done") return paint.learnt(status);
    return status === "failed" || status === "diverged" ? paint.error(status) : paint.warning(status);
  }
};
