import type { CommandDefinition } from "../command.ts";

/** `murmur show <run>`: what a run was, round by round, and how it ended. */
export const show: CommandDefinition = (parent, act) => {
  parent
    .command("show")
    .argument("<run>", "its id, the beginning of its id, or its folder")
    .description("one run, round by round")
    .action(
      act(async (invocation, [name]) => {
        const { findRun, readRun } = await import("../run-folders.ts");
        const { runFigures } = await import("../run-figures.ts");
        const { runSummary, textColumns } = await import("../views/run-summary.ts");
        const run = readRun(findRun(invocation, name ?? ""));
        const figures = runFigures(run);
        invocation.result({ ...figures, meta: run.meta, rounds: run.rounds }, (paint) =>
          runSummary(run, {
            paint,
            cwd: invocation.edge.cwd,
            columns: textColumns(invocation.edge),
            rounds: "all",
          }).join("\n"),
        );
      }),
    );
};
