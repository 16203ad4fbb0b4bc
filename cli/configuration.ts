import { resolve } from "node:path";
import { parse } from "yaml";
import { MurmurError } from "../shared/protocol/errors.ts";
import { type RunConfig, runConfigJsonSchema, runConfigSchema } from "../simulations/experiments/config.ts";
import { checkRunConfig } from "../simulations/experiments/config-checks.ts";
import { withAbsolutePaths } from "../simulations/experiments/config-paths.ts";
import { type ConfigProblem, configError, configProblems } from "../simulations/experiments/config-problems.ts";
import { type SchemaEntry, schemaAt, schemaLeaves } from "../simulations/experiments/config-schema.ts";
import { suggest } from "../simulations/suggestions.ts";
import { originOf, readYamlFile, type YamlFile } from "./yaml-file.ts";

/** Where configuration comes from, besides the defaults. */
export interface ConfigurationSources {
  readonly cwd: string;
  /** As the person wrote it; absent: defaults only. */
  readonly file?: string;
  /** Already in order of precedence, weakest first. */
  readonly assignments: readonly Assignment[];
}

/** One value from outside the file. */
export interface Assignment {
  /** "round.count=3" */
  readonly text: string;
  /** What to call its source: "--set", "MURMUR_SET". */
  readonly origin: string;
}

export interface Configuration {
  readonly config: RunConfig;
  /** Where each value came from: "config.yaml:7", "--set", "MURMUR_SEED", or "default". By path, for every value. */
  readonly origins: ReadonlyMap<string, string>;
}

/**
 * Reads, merges and checks a configuration: flag over environment over file over default.
 * @throws {MurmurError} config-not-found, or what is wrong with it, with the file's line.
 */
export function loadConfiguration(sources: ConfigurationSources): Configuration {
  const draft = draftConfiguration(sources);
  const problems = configProblems(draft.document);
  if (problems.length > 0) throw configError(problems, (path) => originOf(draft.origins, path));
  const config = runConfigSchema.parse(draft.document);
  const [impossible] = checkRunConfig(config);
  if (impossible !== undefined) throw impossible;
  const origins = new Map(leavesOf(config).map((path) => [path, originOf(draft.origins, path) ?? "default"]));
  return { config: withAbsolutePaths(config, (path) => resolve(draft.base, path)), origins };
}

/** Every problem of a configuration, with where it was written; for `config check`, which does not stop at the first. */
export function checkConfiguration(sources: ConfigurationSources): (ConfigProblem & { readonly origin?: string })[] {
  const draft = draftConfiguration(sources);
  const problems = configProblems(draft.document);
  if (problems.length === 0) {
    const config = runConfigSchema.parse(draft.document);
    return checkRunConfig(config).map((error) => ({ path: error.name, message: `${error.message} ${error.hint}` }));
  }
  return problems.map((problem) => {
    const origin = originOf(draft.origins, problem.path);
    return origin === undefined ? problem : { ...problem, origin };
  });
}

function draftConfiguration(sources: ConfigurationSources): YamlFile {
  const draft: YamlFile =
    sources.file === undefined
      ? { document: {}, origins: new Map(), base: sources.cwd }
      : readYamlFile(sources.cwd, sources.file);
  for (const assignment of sources.assignments) assign(draft, assignment);
  return draft;
}

/** `path=value`, where the schema says what type the value has. An empty value takes the key away again. */
function assign(draft: YamlFile, { text, origin }: Assignment): void {
  const equals = text.indexOf("=");
  if (equals <= 0) {
    throw new MurmurError("usage", `${origin} wants path=value, got ${JSON.stringify(text)}.`, {
      hint: "For example: --set round.count=10",
    });
  }
  const path = text.slice(0, equals).trim();
  const keys = path.split(".");
  const schema = runConfigJsonSchema();
  const entry = schemaAt(schema, keys);
  if (entry === undefined) {
    const leaves = schemaLeaves(schema);
    const near = suggest(path, leaves) ?? leaves.find((leaf) => leaf.split(".").at(-1) === keys.at(-1));
    throw new MurmurError(
      "config-invalid",
      `${origin} ${path}: there is no such key${near === undefined ? "" : `; did you mean "${near}"?`}`,
    );
  }
  let section = draft.document;
  for (const key of keys.slice(0, -1)) {
    if (!isRecord(section[key])) section[key] = {};
    section = section[key] as Record<string, unknown>;
  }
  const key = keys[keys.length - 1];
  const raw = text.slice(equals + 1).trim();
  // Another kind is another section: what belonged to the old one does not go with it.
  if (key === "kind" && section.kind !== raw) for (const other of Object.keys(section)) delete section[other];
  if (raw === "") delete section[key];
  else section[key] = typedValue(raw, entry);
  draft.origins.set(path, origin);
}

function typedValue(raw: string, { type }: SchemaEntry): unknown {
  if (type === "string") return raw;
  if (type === "number" || type === "integer") return Number.isNaN(Number(raw)) ? raw : Number(raw);
  if (type === "boolean") return raw === "true" ? true : raw === "false" ? false : raw;
  try {
    return parse(raw);
  } catch {
    return raw;
  }
}

function leavesOf(value: unknown, path = ""): string[] {
  if (!isRecord(value)) return [path];
  return Object.entries(value).flatMap(([key, inner]) => leavesOf(inner, path === "" ? key : `${path}.${key}`));
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
