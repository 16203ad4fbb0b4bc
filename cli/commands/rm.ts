import { rmSync } from "node:fs";
import { basename } from "node:path";
import { MurmurError } from "../../shared/protocol/errors.ts";
import type { CommandDefinition } from "../command.ts";

/** `murmur rm <run…>`: deletes runs; never one in use, never a folder that is no run, never without being told twice. */
export const rm: CommandDefinition = (parent, act) => {
  parent
    .command("rm")
    .argument("<runs...>", "ids or folders")
    .description("delete runs")
    .action(
      act(async (invocation, names) => {
        const { findRun, isInUse, shownPath } = await import("../run-folders.ts");
        const { edge, flags } = invocation;
        const folders = [...new Set(names.map((name) => findRun(invocation, name ?? "")))];
        const busy = folders.find((folder) => isInUse(folder));
        if (busy !== undefined) {
          throw new MurmurError("run-in-use", `Run ${basename(busy)} is in use; nothing was deleted.`, {
            hint: "Wait for it or stop it, then delete it.",
          });
        }
        const shown = folders.map((folder) => shownPath(edge.cwd, folder));
        if (flags.dryRun) {
          return invocation.result(
            { ok: true, dryRun: true, deleted: shown },
            () => `would delete ${shown.join(", ")}`,
          );
        }
        if (!flags.yes && !(await confirmed(edge.stdin, shown))) {
          invocation.endWith(2);
          return invocation.result({ ok: false, deleted: [] }, () => "nothing was deleted");
        }
        for (const folder of folders) rmSync(folder, { recursive: true });
        invocation.result({ ok: true, deleted: shown }, () => `deleted ${shown.join(", ")}`);
      }),
    );
};

async function confirmed(
  stdin: { isTTY: boolean; question(prompt: string): Promise<string> },
  shown: readonly string[],
): Promise<boolean> {
  if (!stdin.isTTY) {
    throw new MurmurError("usage", `Deleting ${shown.join(", ")} wants to be confirmed, and there is nobody to ask.`, {
      hint: "Say --yes if you mean it.",
    });
  }
  const answer = await stdin.question(`delete ${shown.join(", ")}? [y/N] `);
  return /^y(es)?$/i.test(answer.trim());
}
