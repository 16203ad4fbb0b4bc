import { MurmurError } from "../../shared/protocol/errors.ts";
import type { CommandDefinition } from "../command.ts";

/** `murmur verify <run>`: plays it again and compares; exit code 6 when something else came out. */
export const verify: CommandDefinition = (parent, act) => {
  parent
    .command("verify")
    .argument("<run>", "its id, the beginning of its id, or its folder")
    .description("play a run again and compare its model and its files with the record")
    .option("--workers <n>", "threads that train; as many as there are cores when absent")
    .action(
      act(async (invocation, [name], { workers }) => {
        const { edge, flags } = invocation;
        const { findRun, readRun, shownPath } = await import("../run-folders.ts");
        const { checkSums } = await import("../run-sums.ts");
        const { trainingThreads } = await import("../training-threads.ts");
        const { takeStamp } = await import("../stamp.ts");
        const { cryptoProvider } = await import("../../shared/crypto/node-provider.ts");
        const { verifyRun } = await import("../../simulations/experiments/verify.ts");
        const folder = findRun(invocation, name ?? "");
        const { status } = readRun(folder);
        if (status === "running") {
          throw new MurmurError("run-in-use", `The run in ${shownPath(edge.cwd, folder)} is still running.`);
        }
        const { cpu, node } = takeStamp(edge);
        const verification = await verifyRun({
          folder,
          provider: cryptoProvider,
          createPool: await trainingThreads(invocation, workers),
          clock: () => edge.clock(),
          breathe: () => edge.breathe(),
          machine: { cpu, node },
          onRound: (round, of) => {
            if (flags.progress) invocation.note(`round ${round}/${of} is the same`);
          },
        });
        // The files are sealed when a run ends; one that was killed since its last end has none that hold.
        const files = status === "interrupted" ? [] : checkSums(folder);
        const changed = files.filter((file) => !file.ok);
        const ok = verification.matches && changed.length === 0;
        if (!ok) invocation.endWith(6);
        invocation.result({ ok, ...verification, files }, (paint) => {
          const mark = (fine: boolean) => (fine ? paint.learnt("✓") : paint.error("✗"));
          return [
            `${mark(verification.matches)} model  ${verification.detail}`,
            `         expected ${verification.expectedHash}`,
            `         got      ${verification.actualHash}`,
            `         compared ${verification.comparison === "bit-exact" ? "bit for bit" : "with another machine or engine's record"}`,
            ...(files.length === 0
              ? []
              : [
                  changed.length === 0
                    ? `${mark(true)} files  ${files.length} files have the hashes in SHA256SUMS`
                    : `${mark(false)} files  changed since the run ended: ${changed.map((file) => file.name).join(", ")}`,
                ]),
          ].join("\n");
        });
      }),
    );
};
