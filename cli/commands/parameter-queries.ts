import { z } from "zod";
import { MurmurError } from "../../shared/protocol/errors.ts";
import type { ParameterQuery } from "../../shared/secagg/parameter-query.ts";

const fraction = z.number("expected a number").min(0, "must be at least 0").lt(1, "must be less than 1");
const security = z.number("expected a number").positive("must be more than 0").max(256, "must be at most 256");

/** Extra keys are let through: a table of reference values carries its answers with its questions. */
const query = z.object({
  cohort: z.int("expected a whole number").min(1, "must be at least 1").max(1e9, "must be at most 1e9"),
  corrupted: fraction.exactOptional(),
  dropout: fraction.exactOptional(),
  adversary: z.enum(["semi-honest", "semi-malicious"], "must be semi-honest or semi-malicious").exactOptional(),
  rule: z.enum(["finder", "placement-proof"], "must be finder or placement-proof").exactOptional(),
  sigma: security.exactOptional(),
  eta: security.exactOptional(),
});

/** @throws {MurmurError} usage, naming the field after `where`. */
export function parseParameterQuery(value: unknown, where: string): ParameterQuery {
  const parsed = query.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const field = issue.path.join(".");
  const given = (value as Record<string, unknown> | null)?.[field];
  const message =
    field === ""
      ? "expected an object with a cohort"
      : `${field}: ${issue.message}, got ${JSON.stringify(given) ?? "nothing"}`;
  throw new MurmurError("usage", `${where}${message}.`, {
    hint: 'A question is {"cohort": 100, "corrupted": 0.05, "dropout": 0.1, "adversary": "semi-malicious", "rule": "finder"}.',
  });
}

/** @throws {MurmurError} usage, naming the index of the first question that is not one. */
export function parseParameterQueries(text: string): ParameterQuery[] {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    throw new MurmurError("usage", `Standard input is not JSON: ${(error as Error).message}.`, {
      hint: "Give --cohort, or a JSON array of questions on standard input.",
    });
  }
  if (!Array.isArray(document)) {
    throw new MurmurError("usage", "Standard input must be a JSON array of questions.", {
      hint: 'For example: [{"cohort": 100, "corrupted": 0.05, "dropout": 0.1}]',
    });
  }
  return document.map((value, index) => parseParameterQuery(value, `question ${index}: `));
}
