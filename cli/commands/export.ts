import type { CommandDefinition } from "../command.ts";

/** `murmur export <run>`: its trained model for TensorFlow.js and for ONNX runtimes. */
export const exportCommand: CommandDefinition = (parent, act) => {
  parent
    .command("export")
    .argument("<run>", "its id, the beginning of its id, or its folder")
    .description("write a run's trained model: a tf.layers model.json with its weights, and model.onnx")
    .option("--to <folder>", "folder to write to (default: model-<id>)")
    .option("--force", "overwrite what is there")
    .action(
      act(async (invocation, [name], { to, force }) => {
        const { basename, join, resolve } = await import("node:path");
        const { findRun, shownPath } = await import("../run-folders.ts");
        const { exportModel } = await import("../../simulations/experiments/export-model.ts");
        const { cwd } = invocation.edge;
        const { dryRun } = invocation.flags;
        const folder = findRun(invocation, name ?? "");
        const target = resolve(cwd, typeof to === "string" ? to : `model-${basename(folder)}`);
        const exported = await exportModel({ folder, target, force: force === true, dryRun });
        const shown = shownPath(cwd, target);
        invocation.result({ ok: true, dryRun, folder: shown, ...exported }, (paint) =>
          [
            `${exported.model} of run ${exported.run} after round ${exported.round}`,
            ...exported.files.map((file) => `${dryRun ? "would write" : paint.learnt("✓")} ${join(shown, file)}`),
            ...(exported.withoutOnnx === undefined ? [] : [paint.warning(`no model.onnx: ${exported.withoutOnnx}`)]),
          ].join("\n"),
        );
      }),
    );
};
