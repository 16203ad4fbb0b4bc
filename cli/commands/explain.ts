import { MurmurError } from "../../shared/protocol/errors.ts";
import { suggest } from "../../simulations/suggestions.ts";
import type { CommandDefinition } from "../command.ts";
import { type Explanation, explanations } from "../explanations.ts";

/** `murmur explain <term|code>`: the glossary, every error, exit code and reason, offline. */
export const explain: CommandDefinition = (parent, act) => {
  parent
    .command("explain")
    .argument("[term...]", "a word, an error's name, an exit code, a reason; none lists them all")
    .description("what a word, an error or an exit code means")
    .action(
      act((invocation, words) => {
        const all = explanations();
        const term = words.join(" ").trim();
        if (term === "") {
          return invocation.result(
            all.map(({ term: name, kind }) => ({ term: name, kind })),
            (paint) =>
              [...new Set(all.map(({ kind }) => kind))]
                .map((kind) => {
                  const names = all.filter((entry) => entry.kind === kind).map((entry) => entry.term);
                  return `${paint.bold(kind)}\n  ${names.join(", ")}`;
                })
                .join("\n\n"),
          );
        }
        const found = lookUp(all, term);
        if (found.length === 0) {
          const near = suggest(term, [...all.flatMap((entry) => [entry.term, ...entry.also])]);
          throw new MurmurError("usage", `There is no entry for "${term}".`, {
            hint: near === undefined ? "`murmur explain` lists what there is." : `Did you mean "${near}"?`,
          });
        }
        invocation.result(found.length === 1 ? found[0] : found, (paint) =>
          found
            .map(({ term: name, kind, text, hint }) => {
              const lines = [`${paint.bold(name)} ${paint.dim(`(${kind})`)}`, text];
              return [...lines, ...(hint === undefined ? [] : [`${paint.dim("what to do:")} ${hint}`])].join("\n");
            })
            .join("\n\n"),
        );
      }),
    );
};

/** Spelling of case, spaces and dashes aside. */
function lookUp(all: readonly Explanation[], term: string): Explanation[] {
  const plain = (text: string) => text.toLowerCase().replace(/[\s_]+/g, "-");
  return all.filter((entry) => [entry.term, ...entry.also].some((name) => plain(name) === plain(term)));
}
