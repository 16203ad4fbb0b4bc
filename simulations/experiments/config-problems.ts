import type { z } from "zod";
import { MurmurError } from "../../shared/protocol/errors.ts";
import { suggest } from "../suggestions.ts";
import { runConfigJsonSchema, runConfigSchema } from "./config.ts";
import { type SchemaNode, schemaAt, schemaLeaves, schemaProperties } from "./config-schema.ts";

/** One thing that is wrong with a configuration. */
export interface ConfigProblem {
  /** Where, as `--set` writes it: "task.partition.kind". Empty for the whole document. */
  readonly path: string;
  /** What, as the second half of a sentence that begins with the path. */
  readonly message: string;
}

/** Everything that the schema says against a document, in the words of this project. */
export function configProblems(document: unknown): ConfigProblem[] {
  const parsed = runConfigSchema.safeParse(document ?? {});
  return parsed.success ? [] : problemsOf(parsed.error, document, runConfigJsonSchema());
}

/** One error for all problems; `locate` says where a path was written ("config.yaml:7"), if anyone knows. */
export function configError(
  problems: readonly ConfigProblem[],
  locate: (path: string) => string | undefined = () => undefined,
): MurmurError {
  const lines = problems.map(({ path, message }) => {
    const place = locate(path);
    return `${place === undefined ? "" : `${place}: `}${path === "" ? "" : `${path}: `}${message}`;
  });
  const message =
    lines.length === 1 ? lines[0] : `${lines.length} problems:\n${lines.map((line) => `  ${line}`).join("\n")}`;
  return new MurmurError("config-invalid", message);
}

/** What zod says against a document, in the words of this project; `schema` is the JSON Schema that it was held to. */
export function problemsOf(error: z.ZodError, document: unknown, schema: SchemaNode): ConfigProblem[] {
  return error.issues.flatMap((issue) => describe(issue, document, schema));
}

/** The problems of the variant that was meant, where that shows: the one that is wrong inside, not as a whole. */
function describeVariant(
  issue: z.core.$ZodIssueInvalidUnion,
  document: unknown,
  schema: SchemaNode,
): ConfigProblem[] | undefined {
  const isInside = ({ path, code }: z.core.$ZodIssue) => path.length > 0 || code === "unrecognized_keys";
  const meant = issue.errors.find((issues) => issues.every(isInside));
  return meant?.flatMap((inner) => describe({ ...inner, path: [...issue.path, ...inner.path] }, document, schema));
}

function describe(issue: z.core.$ZodIssue, document: unknown, schema: SchemaNode): ConfigProblem[] {
  const path = issue.path.map(String);
  const at = path.join(".");
  const given = valueAt(document, issue.path);
  if (given === undefined && issue.code !== "unrecognized_keys") return [{ path: at, message: "is missing" }];
  switch (issue.code) {
    case "unrecognized_keys":
      return issue.keys.map((key) => ({
        path: [...path, key].join("."),
        message: unknownKey(path, key, document, schema),
      }));
    case "invalid_type": {
      const wanted = schemaAt(schema, path)?.type === "integer" ? "int" : issue.expected;
      return [{ path: at, message: `expected ${EXPECTED[wanted] ?? wanted}, got ${show(given)}` }];
    }
    case "too_small":
      return [
        {
          path: at,
          message: `must be ${issue.inclusive ? "at least" : "more than"} ${issue.minimum}, got ${show(given)}`,
        },
      ];
    case "too_big":
      return [
        {
          path: at,
          message: `must be ${issue.inclusive ? "at most" : "less than"} ${issue.maximum}, got ${show(given)}`,
        },
      ];
    case "invalid_value":
      return [{ path: at, message: oneOf(issue.values.map(String), given) }];
    case "invalid_union": {
      const inside = describeVariant(issue, document, schema);
      if (inside !== undefined && inside.length > 0) return inside;
      const entry = schemaAt(schema, path);
      return [{ path: at, message: oneOf(entry?.values ?? [], given, entry?.otherwise) }];
    }
    default:
      return [{ path: at, message: `${issue.message}; got ${show(given)}` }];
  }
}

const EXPECTED: Readonly<Record<string, string>> = {
  int: "a whole number",
  number: "a number",
  string: "text",
  boolean: "true or false",
  array: "a list",
  object: "a section with keys",
};

/** "there is no such key", and the one that was probably meant: near in spelling here, or of this name elsewhere. */
function unknownKey(parent: readonly string[], key: string, document: unknown, schema: SchemaNode): string {
  const siblings = schemaProperties(schema, parent, document);
  const near = suggest(key, siblings);
  if (near !== undefined) return `there is no such key; did you mean "${near}"?`;
  const elsewhere = schemaLeaves(schema).find((leaf) => leaf.split(".").at(-1) === key);
  if (elsewhere !== undefined) return `there is no such key here; did you mean "${elsewhere}"?`;
  return `there is no such key; there are ${siblings.join(", ")}`;
}

function oneOf(values: readonly string[], given: unknown, otherwise?: string): string {
  const near = typeof given === "string" ? suggest(given, values) : undefined;
  const choice = values.length === 1 ? `must be ${values[0]}` : `must be one of ${values.join(", ")}`;
  return `${choice}${otherwise === undefined ? "" : `, or ${otherwise}`}; got ${show(given)}${near === undefined ? "" : `; did you mean "${near}"?`}`;
}

function valueAt(document: unknown, path: readonly PropertyKey[]): unknown {
  let value: unknown = document ?? {};
  for (const key of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Record<PropertyKey, unknown>)[key];
  }
  return value;
}

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length <= 60 ? text : `${text.slice(0, 57)}...`;
}
