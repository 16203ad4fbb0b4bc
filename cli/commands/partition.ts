import { MurmurError } from "../../shared/protocol/errors.ts";
import type { CommandDefinition } from "../command.ts";

/** Devices that are counted at most: evenly spaced ones of a larger fleet say as much. */
const MOST_COUNTED = 10_000;

/** `murmur partition [config.yaml]`: who holds what, and how unlike each other devices are. */
export const partition: CommandDefinition = (parent, act) => {
  parent
    .command("partition")
    .argument("[config.yaml]", "configuration file; without one, the defaults")
    .description("who holds what: the data that each device of a configuration is dealt")
    .option("--svg <file>", "draw it into an SVG file as well")
    .action(
      act(async (invocation, [file], { svg }) => {
        const { loadConfiguration } = await import("../configuration.ts");
        const { partitionText } = await import("../../simulations/datasets/partitions/specification.ts");
        const { heterogeneityOf } = await import("../../simulations/datasets/heterogeneity.ts");
        const { loadDataset } = await import("../../simulations/datasets/index.ts");
        const { countLabels } = await import("../../simulations/datasets/label-counts.ts");
        const { holdExamples } = await import("../../simulations/datasets/partitions/holdings.ts");
        const { heldLabels, partitionLines } = await import("../views/partition-lines.ts");
        const { textColumns } = await import("../views/run-summary.ts");
        const { config } = loadConfiguration(invocation.sources(file));
        const { seed, task, fleet } = config;
        const dataset = await loadDataset(task.dataset, seed);
        const holdings = holdExamples(dataset.train, fleet.devices, seed, task.partition);
        const counts = countLabels(dataset, holdings, MOST_COUNTED);
        const heterogeneity = heterogeneityOf(counts);
        const held = heldLabels(dataset.name, partitionText(task.partition), fleet.devices, counts, heterogeneity);
        if (typeof svg === "string" && !invocation.flags.dryRun) {
          await writeSvg(invocation.edge.cwd, svg, held);
          invocation.note(`the plot is in ${svg}`);
        }
        const { labels, devices } = held;
        const result = {
          dataset: dataset.name,
          partition: task.partition,
          fleet: fleet.devices,
          heterogeneity,
          labels,
          devices,
        };
        invocation.result(result, (paint) =>
          partitionLines(held, heterogeneity, paint, textColumns(invocation.edge)).join("\n"),
        );
      }),
    );
};

async function writeSvg(
  cwd: string,
  file: string,
  held: Parameters<typeof import("../../web/charts/who-holds-what.ts").whoHoldsWhat>[0],
): Promise<void> {
  const { mkdirSync, writeFileSync } = await import("node:fs");
  const { dirname, resolve } = await import("node:path");
  const { whoHoldsWhat } = await import("../../web/charts/who-holds-what.ts");
  const path = resolve(cwd, file);
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, whoHoldsWhat(held));
  } catch (cause) {
    throw new MurmurError("environment", `${file} cannot be written: ${(cause as Error).message}.`, {
      cause,
      hint: "Choose another file with --svg.",
    });
  }
}
