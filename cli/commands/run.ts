import type { CommandDefinition } from "../command.ts";

/** `murmur run [config.yaml]`: simulates a fleet end to end, into runs/<id>/. */
export const run: CommandDefinition = (parent, act) => {
  parent
    .command("run")
    .argument("[config.yaml]", "configuration file; without one, MNIST with 100 devices")
    .description("simulate a fleet end to end, into runs/<id>/")
    .option("--resume [run]", "go on with a run that was stopped; without an id, with the last one")
    .option("--workers <n>", "threads that train; as many as there are cores when absent")
    .action(
      act(async (invocation, [file], { resume, workers }) => {
        const { newRun, resumedRun } = await import("../run-plan.ts");
        const plan = resume === undefined ? await newRun(invocation, file) : await resumedRun(invocation, file, resume);
        if (invocation.flags.dryRun) {
          const { describeRun } = await import("../describe-run.ts");
          return describeRun(invocation, plan);
        }
        const { trainingThreads } = await import("../training-threads.ts");
        const { carryOutRun } = await import("../carry-out-run.ts");
        const { federateInProcess } = await import("../../simulations/experiments/federate-in-process.ts");
        const createPool = await trainingThreads(invocation, workers);
        await carryOutRun(invocation, plan, {
          transport: "in-process",
          federate: () => federateInProcess(createPool),
        });
      }),
    );
};
