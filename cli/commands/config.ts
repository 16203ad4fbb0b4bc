import { stringify } from "yaml";
import type { CommandDefinition } from "../command.ts";

/** `murmur config print|schema|check`: what a run would use, what may be written, what is wrong. */
export const config: CommandDefinition = (parent, act) => {
  const group = parent.command("config").description("show, describe or check a configuration");

  group
    .command("print")
    .argument("[config.yaml]", "configuration file; without one, the defaults")
    .description("the resolved configuration: every value that a run would use")
    .option("--origin", "say where each value came from")
    .action(
      act(async (invocation, [file], { origin }) => {
        const { loadConfiguration } = await import("../configuration.ts");
        const { configDocument } = await import("../../simulations/experiments/config.ts");
        const { config, origins } = loadConfiguration(invocation.sources(file));
        const document = configDocument(config);
        if (origin !== true) return invocation.result(document, () => stringify(document));
        const rows = [...origins].map(([path, from]) => ({ path, value: valueAt(document, path), origin: from }));
        invocation.result(rows, (paint) => {
          const width = Math.max(...rows.map(({ path }) => path.length));
          const shown = rows.map(({ value }) => JSON.stringify(value) ?? "");
          const valueWidth = Math.max(...shown.map((text) => text.length));
          return rows
            .map(({ path, origin: from }, i) => {
              const source = from === "default" ? paint.dim(from) : paint.bold(from);
              return `${path.padEnd(width)}  ${shown[i].padEnd(valueWidth)}  ${source}`;
            })
            .join("\n");
        });
      }),
    );

  group
    .command("schema")
    .description("the JSON Schema of a configuration file, for editors")
    .action(
      act(async (invocation) => {
        const { runConfigJsonSchema } = await import("../../simulations/experiments/config.ts");
        const schema = runConfigJsonSchema();
        invocation.result(schema, () => JSON.stringify(schema, null, 2));
      }),
    );

  group
    .command("check")
    .argument("[config.yaml]", "configuration file")
    .description("every problem of a configuration, with its line; exit code 3 if there is one")
    .action(
      act(async (invocation, [file]) => {
        const { checkConfiguration } = await import("../configuration.ts");
        const sources = invocation.sources(file);
        const problems = checkConfiguration(sources);
        const name = sources.file ?? "defaults";
        if (problems.length > 0) invocation.endWith(3);
        invocation.result({ ok: problems.length === 0, problems }, (paint) =>
          problems.length === 0
            ? `${paint.learnt("✓")} ${name} is a valid configuration`
            : problems
                .map(({ path, message, origin }) => {
                  const place = [origin, path].filter((part) => part !== undefined && part !== "").join(": ");
                  return `${paint.error("✗")} ${place}: ${message}`;
                })
                .join("\n"),
        );
      }),
    );
};

function valueAt(document: unknown, path: string): unknown {
  return path.split(".").reduce<unknown>((value, key) => (value as Record<string, unknown>)[key], document);
}
