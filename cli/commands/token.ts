import type { Command } from "commander";
import { MurmurError } from "../../shared/protocol/errors.ts";
import type { CommandDefinition } from "../command.ts";
import { countFlag } from "../number-flags.ts";
import type { TokenTerms } from "../operator-client.ts";

/** `murmur token create|list|revoke`: who may enrol devices, and who else operates. */
export const token: CommandDefinition = (parent, act) => {
  const group = parent.command("token").description("tokens of a coordinator that runs");

  withCoordinatorFlags(group.command("create"))
    .description("make a token; it is printed this once")
    .option("--count <number>", "devices that it enrols (default: 1)")
    .option("--expires <duration>", 'how long it is good, such as "90min" (default: 1h)')
    .option("--scope <scope>", "enrol lets devices in; operate does what these commands do (default: enrol)")
    .action(
      act(async (invocation, _args, options) => {
        const { openOperator } = await import("../operator-client.ts");
        const { isLoopback, withoutBrackets } = await import("../../shared/protocol/hosts.ts");
        const { devicesText, joinAddress, newTokenLines } = await import("../views/new-token-lines.ts");
        const { formatDuration } = await import("../../simulations/experiments/config-values.ts");
        const terms = await termsOf(options);
        const operator = openOperator(invocation, options);
        const { url } = operator.about;
        if (invocation.flags.dryRun) {
          const what = terms.scope === "enrol" ? `enrols ${devicesText(terms.count)}` : "operates";
          return invocation.result(
            { ok: true, dryRun: true, ...operator.about, ...terms },
            () => `would make a token of ${url} that ${what}, good for ${formatDuration(terms.expires * 1000)}`,
          );
        }
        const made = await operator.createToken(terms);
        const join = terms.scope === "enrol" ? { join: joinAddress(url, made.token) } : {};
        invocation.result({ ok: true, ...operator.about, ...terms, ...made, ...join }, (paint) =>
          newTokenLines(made, terms, url, paint).join("\n"),
        );
        const { hostname } = new URL(url);
        if (terms.scope === "enrol" && isLoopback(withoutBrackets(hostname))) {
          invocation.note(`for devices elsewhere, write the name that they dial in place of ${hostname}`);
        }
      }),
    );

  withCoordinatorFlags(group.command("list"))
    .alias("ls")
    .description("the tokens, without their secrets")
    .action(
      act(async (invocation, _args, options) => {
        const { openOperator } = await import("../operator-client.ts");
        const { tokenState, tokenTable } = await import("../views/operator-tables.ts");
        const now = invocation.edge.clock();
        const tokens = await openOperator(invocation, options).tokens();
        const rows = tokens.map((entry) => ({ ...entry, state: tokenState(entry, now) }));
        invocation.result(rows, (paint) => tokenTable(rows, paint).join("\n"));
      }),
    );

  withCoordinatorFlags(group.command("revoke"))
    .argument("<id>", "the token's id, which is in it after murmur_e_ or murmur_o_")
    .description("end a token; devices that it enrolled stay")
    .action(
      act(async (invocation, [text = ""], options) => {
        const { openOperator } = await import("../operator-client.ts");
        const id = text.toLowerCase();
        // What was given may be a whole token: it is not repeated.
        if (!/^[0-9a-f]{8}$/.test(id)) {
          throw new MurmurError("usage", "A token's id has 8 hexadecimal digits.", {
            hint: "`murmur token list` shows them.",
          });
        }
        const operator = openOperator(invocation, options);
        if (invocation.flags.dryRun) {
          return invocation.result(
            { ok: true, dryRun: true, ...operator.about, id },
            () => `would revoke the token ${id} of ${operator.about.url}`,
          );
        }
        await operator.revokeToken(id);
        invocation.result({ ok: true, ...operator.about, id }, () => `revoked ${id}`);
      }),
    );
};

const MOST_ENROLLED = 1_000_000;
const LONGEST_DAYS = 366;

async function termsOf(options: Record<string, unknown>): Promise<TokenTerms> {
  const { parseDuration } = await import("../../simulations/experiments/config-values.ts");
  const text = String(options.expires ?? "1h");
  const expires = Math.round((parseDuration(text) ?? 0) / 1000);
  if (expires < 1 || expires > LONGEST_DAYS * 86_400) {
    throw new MurmurError(
      "usage",
      `--expires wants a duration from 1s to ${LONGEST_DAYS}d, such as 1h; got "${text}".`,
    );
  }
  const scope = String(options.scope ?? "enrol");
  const count = options.count === undefined ? undefined : String(options.count);
  if (scope === "enrol") return { scope, count: countFlag("--count", count, 1, MOST_ENROLLED), expires };
  if (scope !== "operate") throw new MurmurError("usage", `--scope must be enrol or operate; got "${scope}".`);
  if (count === undefined) return { scope, expires };
  throw new MurmurError("usage", "--count is for tokens that enrol: one that operates is not used up.");
}

/** The flags that say which coordinator an operator's command is for. */
export function withCoordinatorFlags(command: Command): Command {
  return command
    .option("--run <run>", "the run that is served: id, beginning of its id, or folder (default: the only one)")
    .option("--url <url>", "address of a coordinator elsewhere; its operator token in MURMUR_OPERATOR_TOKEN");
}
