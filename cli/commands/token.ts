import type { Command } from "commander";
import { MurmurError } from "../../shared/protocol/errors.ts";
import type { CommandDefinition } from "../command.ts";
import { countFlag } from "../number-flags.ts";
import type { TokenScope } from "../operator-client.ts";

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
        const { isLoopback, openOperator } = await import("../operator-client.ts");
        const { minuteText } = await import("../views/operator-tables.ts");
        const { countText } = await import("../views/figures.ts");
        const terms = await termsOf(options);
        const operator = openOperator(invocation, options);
        const { url } = operator.about;
        if (invocation.flags.dryRun) {
          return invocation.result(
            { ok: true, dryRun: true, ...operator.about, ...terms },
            () => `would make a token of ${url}: ${terms.scope}, ${countText(terms.count)} devices, ${terms.expires}s`,
          );
        }
        const { id, token: text, expiresAt } = await operator.createToken(terms);
        const join = terms.scope === "enrol" ? `${url}/#${text}` : undefined;
        invocation.result(
          {
            ok: true,
            ...operator.about,
            id,
            ...terms,
            token: text,
            expiresAt,
            ...(join === undefined ? {} : { join }),
          },
          (paint) =>
            [
              `${paint.dim("token")}      ${text}`,
              join === undefined
                ? `${paint.dim("use it")}     in MURMUR_OPERATOR_TOKEN, with --url ${url}`
                : `${paint.dim("join here")}  murmur join '${join}'`,
              `${paint.dim("good")}       until ${minuteText(expiresAt)} UTC${terms.scope === "enrol" ? `, for ${countText(terms.count)} ${terms.count === 1 ? "device" : "devices"}` : ""}; \`murmur token revoke ${id}\` ends it`,
            ].join("\n"),
        );
        if (join !== undefined && isLoopback(new URL(url).hostname)) {
          invocation.note(`for devices elsewhere, write the name that they dial in place of ${new URL(url).hostname}`);
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

async function termsOf(
  options: Record<string, unknown>,
): Promise<{ scope: TokenScope; count: number; expires: number }> {
  const { parseDuration } = await import("../../simulations/experiments/config-values.ts");
  const scope = String(options.scope ?? "enrol");
  if (scope !== "enrol" && scope !== "operate") {
    throw new MurmurError("usage", `--scope must be enrol or operate; got "${scope}".`);
  }
  if (scope === "operate" && options.count !== undefined) {
    throw new MurmurError("usage", "--count is for tokens that enrol: one that operates is not used up.");
  }
  const count = countFlag("--count", options.count === undefined ? undefined : String(options.count), 1, MOST_ENROLLED);
  const text = String(options.expires ?? "1h");
  const expires = Math.round((parseDuration(text) ?? 0) / 1000);
  if (expires < 1 || expires > LONGEST_DAYS * 86_400) {
    throw new MurmurError(
      "usage",
      `--expires wants a duration from 1s to ${LONGEST_DAYS}d, such as 1h; got "${text}".`,
    );
  }
  return { scope, count, expires };
}

/** The flags that say which coordinator an operator's command is for. */
export function withCoordinatorFlags(command: Command): Command {
  return command
    .option("--run <run>", "the run that is served: id, beginning of its id, or folder (default: the only one)")
    .option("--url <url>", "address of a coordinator elsewhere; its operator token in MURMUR_OPERATOR_TOKEN");
}
