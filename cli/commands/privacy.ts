import { MurmurError } from "../../shared/protocol/errors.ts";
import type { CommandDefinition } from "../command.ts";
import type { Invocation } from "../invocation.ts";

const EVENT_EXAMPLE = '[{"q": 0.01, "noise_multiplier": 1.1, "steps": 1000, "delta": 1e-5}]';
const TARGET_EXAMPLE = '[{"q": 0.01, "steps": 1000, "delta": 1e-5, "target_epsilon": 2}]';

/** `murmur privacy account` and `calibrate`: ε of noise, and noise for an ε. */
export const privacy: CommandDefinition = (parent, act) => {
  const group = parent.command("privacy").description("questions about differential privacy");
  group
    .command("account")
    .description("ε of what was released: a JSON array of events on standard input, an array of answers out")
    .addHelpText(
      "after",
      `\nAn event without a kind is a Gaussian on Poisson samples:\n  echo '${EVENT_EXAMPLE}' | murmur privacy account\ndocs/privacy.md lists the other kinds.`,
    )
    .action(
      act(async (invocation) => {
        const text = await standardInput(invocation, "account", EVENT_EXAMPLE);
        const { parseEventQueries } = await import("./privacy-queries.ts");
        const { answerEventQuery } = await import("./privacy-answers.ts");
        print(invocation, parseEventQueries(text).map(answerEventQuery));
      }),
    );
  group
    .command("calibrate")
    .description("the least noise for a target ε: a JSON array of targets on standard input, an array of answers out")
    .addHelpText("after", `\nFor example:\n  echo '${TARGET_EXAMPLE}' | murmur privacy calibrate`)
    .action(
      act(async (invocation) => {
        const text = await standardInput(invocation, "calibrate", TARGET_EXAMPLE);
        const { parseTargetQueries } = await import("./privacy-queries.ts");
        const { answerTargetQuery } = await import("./privacy-answers.ts");
        print(invocation, parseTargetQueries(text).map(answerTargetQuery));
      }),
    );
};

async function standardInput({ edge }: Invocation, name: string, example: string): Promise<string> {
  if (!edge.stdin.isTTY) return edge.stdin.read();
  throw new MurmurError("usage", `privacy ${name} wants a JSON array on standard input.`, {
    hint: `For example: echo '${example}' | murmur privacy ${name}`,
  });
}

/** Machines ask this way, so machines are answered whatever the format. */
function print({ edge }: Invocation, answers: readonly unknown[]): void {
  edge.stdout.write(`${JSON.stringify(answers, null, 2)}\n`);
}
