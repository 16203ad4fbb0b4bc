import { MurmurError } from "../../shared/protocol/errors.ts";
import type { ParameterAnswer, ParameterQuery } from "../../shared/secagg/parameter-query.ts";
import type { CommandDefinition } from "../command.ts";
import type { Invocation } from "../invocation.ts";

/** `murmur secagg parameters`: degree and threshold for a cohort, or why there are none. */
export const secagg: CommandDefinition = (parent, act) => {
  const group = parent.command("secagg").description("questions about secure aggregation");
  group
    .command("parameters")
    .description("degree and threshold of the sharing graph; a JSON array on standard input asks many at once")
    .option("--cohort <n>", "devices in the roster")
    .option("--corrupted <fraction>", "of the cohort, colluding with the coordinator (default: 0.05)")
    .option("--dropout <fraction>", "of the cohort, lost while it is masked (default: 0.1)")
    .option("--adversary <kind>", "semi-honest or semi-malicious (default: semi-malicious; for the finder)")
    .option("--rule <rule>", "finder or placement-proof (default: finder)")
    .option("--sigma <bits>", "statistical security of the finder (default: 40)")
    .option("--eta <bits>", "correctness of the finder (default: 20)")
    .action(
      act(async (invocation, _args, options) => {
        const { parseParameterQuery } = await import("./parameter-queries.ts");
        const { answerParameterQuery } = await import("../../shared/secagg/parameter-query.ts");
        if (options.cohort === undefined) return answerMany(invocation);
        const query = parseParameterQuery(numbersOf(options), "--");
        const answer = answerParameterQuery(query);
        invocation.result({ ...query, ...answer }, () => describe(query, answer));
      }),
    );
};

async function answerMany({ edge }: Invocation): Promise<void> {
  if (edge.stdin.isTTY) {
    throw new MurmurError(
      "usage",
      "secagg parameters wants --cohort, or a JSON array of questions on standard input.",
      {
        hint: "For example: murmur secagg parameters --cohort 100 --corrupted 0.05 --dropout 0.1",
      },
    );
  }
  const { parseParameterQueries } = await import("./parameter-queries.ts");
  const { answerParameterQuery } = await import("../../shared/secagg/parameter-query.ts");
  const answers = parseParameterQueries(await edge.stdin.read()).map((query) => answerParameterQuery(query));
  // Machines ask this way, so machines are answered whatever the format.
  edge.stdout.write(`${JSON.stringify(answers, null, 2)}\n`);
}

/** Flags are text; what should be a number and is not stays text, for the schema to name. */
function numbersOf(options: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(options).map(([name, value]) => {
      const number = Number(value);
      return [name, typeof value === "string" && value.trim() !== "" && !Number.isNaN(number) ? number : value];
    }),
  );
}

function describe(query: ParameterQuery, { degree, threshold, graph }: ParameterAnswer): string {
  const rule = query.rule ?? "finder";
  const formula =
    degree === null || threshold === null
      ? `The ${rule} rule has no sparse graph for ${query.cohort} devices: use the complete graph.`
      : `degree     ${degree}\nthreshold  ${threshold}   (${rule})`;
  const protocol =
    "refused" in graph
      ? `The protocol refuses this cohort. ${graph.refused}`
      : `The protocol itself runs a ${graph.kind} graph here: degree ${graph.degree}, threshold ${graph.threshold} (${graph.rule}).`;
  return `${formula}\n${protocol}`;
}
