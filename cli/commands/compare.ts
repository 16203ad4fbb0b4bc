import type { CommandDefinition } from "../command.ts";

/** `murmur compare <a> <b>`: what was different, and what came of it. */
export const compare: CommandDefinition = (parent, act) => {
  parent
    .command("compare")
    .argument("<run>", "one run")
    .argument("<other>", "another")
    .description("two runs side by side: what differs in them, and in their results")
    .action(
      act(async (invocation, names) => {
        const { findRun, readRun } = await import("../run-folders.ts");
        const { runFigures } = await import("../run-figures.ts");
        const { bytesText, decimalText, percentText, secondsText, table } = await import("../views/figures.ts");
        const [a, b] = names.map((name) => readRun(findRun(invocation, name ?? "")));
        const figures = [runFigures(a), runFigures(b)] as const;
        const sameModel = figures[0].modelHash !== null && figures[0].modelHash === figures[1].modelHash;
        const differences = [
          ...differencesOf("config", a.meta.config, b.meta.config),
          ...differencesOf("stamp", a.meta.stamp, b.meta.stamp),
        ];
        invocation.result({ runs: figures, sameModel, differences }, (paint) => {
          const row = (name: string, text: (run: (typeof figures)[number]) => string) => [name, ...figures.map(text)];
          const lines = table(
            [
              row("", (run) => paint.bold(run.run)),
              row("status", (run) => run.status),
              row("masks", (run) => run.masks),
              row("accuracy", (run) => percentText(run.accuracy)),
              row("loss", (run) => decimalText(run.loss)),
              row("rounds", (run) => String(run.committed)),
              row("abandoned", (run) => String(run.abandoned)),
              row("up a device", (run) => bytesText(run.bytesUpPerDevice)),
              row("down a device", (run) => bytesText(run.bytesDownPerDevice)),
              row("time", (run) => secondsText(run.seconds)),
              row("model", (run) => run.modelHash?.slice(0, 12) ?? "–"),
            ],
            [1, 2],
          );
          const changed = differences.map(({ path, values }) => [
            path,
            ...values.map((value) => JSON.stringify(value) ?? "–"),
          ]);
          return [
            ...lines,
            "",
            sameModel ? paint.learnt("the final models are the same, bit for bit") : "the final models differ",
            "",
            ...(changed.length === 0
              ? ["nothing differs in configuration or stamp"]
              : table([["differs", "", ""], ...changed])),
          ].join("\n");
        });
      }),
    );
};

interface Difference {
  readonly path: string;
  readonly values: readonly [unknown, unknown];
}

function differencesOf(path: string, a: unknown, b: unknown): Difference[] {
  if (isRecord(a) && isRecord(b)) {
    const keys = [...new Set([...Object.keys(a), ...Object.keys(b)])];
    return keys.flatMap((key) => differencesOf(`${path}.${key}`, a[key], b[key]));
  }
  return JSON.stringify(a) === JSON.stringify(b) ? [] : [{ path, values: [a, b] }];
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
