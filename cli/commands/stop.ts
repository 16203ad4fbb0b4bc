import type { CommandDefinition } from "../command.ts";
import { withCoordinatorFlags } from "./token.ts";

/** `murmur stop`: a run that is served ends, and can be gone on with. */
export const stop: CommandDefinition = (parent, act) => {
  withCoordinatorFlags(parent.command("stop"))
    .description("end a run that is served, after the round that is under way")
    .option("--now", "do not wait for the round: abandon it")
    .action(
      act(async (invocation, _args, options) => {
        const { openOperator } = await import("../operator-client.ts");
        const operator = openOperator(invocation, options);
        const { run, url } = operator.about;
        const now = options.now === true;
        if (invocation.flags.dryRun) {
          const stopping = now ? "now" : "after-round";
          return invocation.result(
            { ok: true, dryRun: true, ...operator.about, stopping },
            () => `would stop ${run ?? url} ${whenText(stopping)}`,
          );
        }
        const stopping = await operator.stop(now);
        invocation.result({ ok: true, ...operator.about, stopping }, () =>
          [
            `${run ?? url} stops ${whenText(stopping)}`,
            ...(run === undefined ? [] : [`\`murmur serve --resume ${run}\` goes on with it`]),
          ].join("\n"),
        );
      }),
    );
};

function whenText(stopping: "after-round" | "now"): string {
  return stopping === "now" ? "now, and abandons its round" : "after the round that is under way";
}
