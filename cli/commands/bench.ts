import type { CommandDefinition } from "../command.ts";

/** `murmur bench [bench.yaml]`: what a guarantee costs in accuracy, as a report. */
export const bench: CommandDefinition = (parent, act) => {
  parent
    .command("bench")
    .argument("[bench.yaml]", "a grid of private runs; without one, the frontier of examples/privacy-frontier.yaml")
    .description("privacy against accuracy: a grid of private runs times seeds, and a report of it")
    .option("--quick", "fewer rounds, seeds and cells: the same code in minutes")
    .option("--workers <n>", "processes that run cells; as many as there are cores when absent")
    .addHelpText(
      "after",
      "\nThe report is written into runs/<id>/, or into the folder of --out. A benchmark that was stopped goes on where it was\nwhen the same command is given again: cells that are finished are not run twice.",
    )
    .action(
      act(async (invocation, [file], { quick, workers }) => {
        const { planBench } = await import("../bench-plan.ts");
        const plan = planBench(invocation, file, quick === true);
        if (invocation.flags.dryRun) {
          const { benchPlanLines } = await import("../views/bench-lines.ts");
          invocation.result(
            { folder: plan.folder, cells: plan.cells.map(({ id, key, seed }) => ({ id, ...key, seed })) },
            () => benchPlanLines(plan, invocation.edge.cwd).join("\n"),
          );
          return;
        }
        const { carryOutBench } = await import("../carry-out-bench.ts");
        await carryOutBench(invocation, plan, workers);
      }),
    );
};
