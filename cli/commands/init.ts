import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { MurmurError } from "../../shared/protocol/errors.ts";
import type { CommandDefinition } from "../command.ts";

/** `murmur init [dir]`: a configuration to start from, its schema for editors, and a page that says what to do next. */
export const init: CommandDefinition = (parent, act) => {
  parent
    .command("init")
    .argument("[folder]", "where to write", ".")
    .description("write config.yaml, its schema and a README to start from")
    .option("--force", "overwrite what is there")
    .action(
      act(async (invocation, [folder = "."], { force }) => {
        const { commentedConfiguration, SCHEMA_FILE } = await import("../config-template.ts");
        const { runConfigJsonSchema } = await import("../../simulations/experiments/config.ts");
        const { loadConfiguration } = await import("../configuration.ts");
        const { config } = loadConfiguration(invocation.sources());
        const files: Readonly<Record<string, string>> = {
          "config.yaml": commentedConfiguration(config),
          [SCHEMA_FILE]: `${JSON.stringify(runConfigJsonSchema(), null, 2)}\n`,
          "README.md": README,
        };
        const target = resolve(invocation.edge.cwd, folder);
        const taken = Object.keys(files).filter((name) => existsSync(join(target, name)));
        if (taken.length > 0 && force !== true) {
          throw new MurmurError("file-exists", `${folder} already holds ${taken.join(" and ")}; nothing was written.`, {
            hint: "Choose another folder, or overwrite with --force.",
          });
        }
        if (!invocation.flags.dryRun) {
          mkdirSync(target, { recursive: true });
          for (const [name, content] of Object.entries(files)) writeFileSync(join(target, name), content);
        }
        const written = Object.keys(files).map((name) => join(relative(invocation.edge.cwd, target), name));
        const path = written[0];
        invocation.result({ ok: true, dryRun: invocation.flags.dryRun, written }, (paint) =>
          [
            ...written.map((name) => `${invocation.flags.dryRun ? "would write" : paint.learnt("✓")} ${name}`),
            "",
            `next   murmur run ${path}`,
            `       murmur config check ${path}`,
          ].join("\n"),
        );
      }),
    );
};

const README = `# A federated run

\`config.yaml\` says what is learnt, by how many simulated devices, and how the coordinator is kept from seeing more than
sums. Editors that know the YAML language server complete it from \`murmur.schema.json\`.

\`\`\`sh
murmur config check config.yaml    # is it valid?
murmur run config.yaml             # run it; results land in runs/<id>/
murmur list                        # the runs there are
murmur show <id>                   # one of them, round by round
murmur verify <id>                 # run it again and compare the model
\`\`\`

Change one value without touching the file: \`murmur run config.yaml --set round.count=5\`.
What a word or an error means: \`murmur explain <word>\`.
`;
