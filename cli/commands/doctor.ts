import type { CommandDefinition } from "../command.ts";

/** `murmur doctor`: is everything here that a run needs? Exit code 4 when something needed is missing. */
export const doctor: CommandDefinition = (parent, act) => {
  parent
    .command("doctor")
    .description("check this machine: Node, engines, cryptography, data, disk, clock")
    .action(
      act(async (invocation) => {
        const { examine } = await import("../health-checks.ts");
        const checks = await examine(invocation.edge, invocation.flags.out);
        const ok = checks.every((check) => check.ok || !check.needed);
        if (!ok) invocation.endWith(4);
        invocation.result({ ok, checks }, (paint) => {
          const width = Math.max(...checks.map(({ name }) => name.length));
          const lines = checks.map(({ name, ok: fine, needed, detail, remedy }) => {
            const mark = fine ? paint.learnt("✓") : needed ? paint.error("✗") : paint.warning("–");
            const advice = fine || remedy === undefined ? "" : `\n${" ".repeat(width + 4)}${paint.dim(remedy)}`;
            return `${mark} ${name.padEnd(width)}  ${detail}${advice}`;
          });
          const verdict = ok ? paint.learnt("ready") : paint.error("something needed is missing");
          return [...lines, "", verdict].join("\n");
        });
      }),
    );
};
