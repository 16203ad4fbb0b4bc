import type { Command } from "commander";
import { MurmurError } from "../shared/protocol/errors.ts";
import type { Assignment, ConfigurationSources } from "./configuration.ts";
import type { Edge } from "./edge.ts";
import { type Colours, colours } from "./views/colours.ts";

export const FORMATS = ["text", "json", "ndjson"] as const;
export type Format = (typeof FORMATS)[number];

/** The flags that every command has, after the environment was asked for those that were not given. */
export interface GlobalFlags {
  readonly config?: string;
  /** Folder that holds the runs. */
  readonly out: string;
  readonly format: Format;
  readonly quiet: boolean;
  readonly verbose: boolean;
  /** undefined: as the terminal likes. */
  readonly color?: boolean;
  readonly progress: boolean;
  readonly dryRun: boolean;
  readonly yes: boolean;
}

/** One command being carried out: its surroundings, its flags, and how it speaks. */
export interface Invocation {
  readonly edge: Edge;
  readonly flags: GlobalFlags;
  /** `file` is a configuration given as an argument; it stands for --config. */
  sources(file?: string): ConfigurationSources;
  /** The command's result: text for a person, or the same as data. The only thing that goes to standard output. */
  result(data: unknown, text: (paint: Colours) => string): void;
  /** Something worth knowing while it works, on standard error; not with --quiet. */
  note(text: string): void;
  /** What only --verbose shows. */
  detail(text: string): void;
  readonly paint: { readonly stdout: Colours; readonly stderr: Colours };
  /** What the process ends with, unless an error is thrown. */
  endWith(exitCode: number): void;
}

/** Flags that take a value, and the environment variable that mirrors each. */
export function addGlobalFlags(program: Command): Command {
  return program
    .option("-c, --config <file>", "configuration file")
    .option("--set <path=value>", "set one value of the configuration (repeatable)", collect)
    .option("--seed <number>", "seed of the experiment; short for --set seed=N")
    .option("-o, --out <folder>", "folder that holds the runs (default: runs)")
    .option("--format <format>", `${FORMATS.join(", ")} (default: text)`)
    .option("-q, --quiet", "errors only")
    .option("-v, --verbose", "more detail, and stack traces")
    .option("--no-color", "no colours (also NO_COLOR; FORCE_COLOR for the opposite)")
    .option("--no-progress", "no progress on standard error")
    .option("--dry-run", "say what would be done, and do nothing")
    .option("--yes", "do not ask")
    .helpOption("-h, --help", "print this");
}

/** @throws {MurmurError} usage, for a flag or variable with a value that it cannot have. */
export function beginInvocation(command: Command, edge: Edge, endWith: (exitCode: number) => void): Invocation {
  const given = command.optsWithGlobals<Record<string, unknown>>();
  const flags = resolveFlags(given, edge.env);
  const paint = {
    stdout: colours(wantsColour(flags, edge, "stdout")),
    stderr: colours(wantsColour(flags, edge, "stderr")),
  };
  return {
    edge,
    flags,
    paint,
    endWith,
    sources: (file) => {
      const chosen = file ?? flags.config;
      return {
        cwd: edge.cwd,
        ...(chosen === undefined ? {} : { file: chosen }),
        assignments: assignments(given, edge.env),
      };
    },
    result(data, text) {
      if (flags.format === "text") edge.stdout.write(withNewline(text(paint.stdout)));
      else if (flags.format === "json") edge.stdout.write(`${JSON.stringify(data, null, 2)}\n`);
      else for (const line of Array.isArray(data) ? data : [data]) edge.stdout.write(`${JSON.stringify(line)}\n`);
    },
    note(text) {
      if (!flags.quiet) edge.stderr.write(withNewline(text));
    },
    detail(text) {
      if (flags.verbose) edge.stderr.write(withNewline(text));
    },
  };
}

/** The format that a command line asks for, also when the rest of it is not understood. */
export function requestedFormat(args: readonly string[], env: Edge["env"]): Format {
  const at = args.lastIndexOf("--format");
  const inline = args.findLast((argument) => argument.startsWith("--format="))?.slice("--format=".length);
  const wanted = inline ?? (at >= 0 ? args[at + 1] : undefined) ?? env.MURMUR_FORMAT;
  return isFormat(wanted) ? wanted : "text";
}

function resolveFlags(given: Record<string, unknown>, env: Edge["env"]): GlobalFlags {
  const text = (flag: string, variable: string) => (given[flag] as string | undefined) ?? nonEmpty(env[variable]);
  const on = (flag: string, variable: string) => given[flag] === true || isOn(env[variable]);
  const config = text("config", "MURMUR_CONFIG");
  const format = text("format", "MURMUR_FORMAT") ?? "text";
  if (!isFormat(format)) {
    throw new MurmurError("usage", `--format must be one of ${FORMATS.join(", ")}; got ${JSON.stringify(format)}.`);
  }
  const forced = env.FORCE_COLOR;
  const color =
    given.color === false || isOn(env.MURMUR_NO_COLOR)
      ? false
      : forced !== undefined
        ? forced !== "0" && forced !== "false"
        : nonEmpty(env.NO_COLOR) !== undefined
          ? false
          : undefined;
  return {
    ...(config === undefined ? {} : { config }),
    ...(color === undefined ? {} : { color }),
    out: text("out", "MURMUR_OUT") ?? "runs",
    format,
    quiet: on("quiet", "MURMUR_QUIET"),
    verbose: on("verbose", "MURMUR_VERBOSE"),
    progress: given.progress !== false && !isOn(env.MURMUR_NO_PROGRESS),
    dryRun: on("dryRun", "MURMUR_DRY_RUN"),
    yes: on("yes", "MURMUR_YES"),
  };
}

/** Environment first, so that flags win; --seed last, for it names its value. */
function assignments(given: Record<string, unknown>, env: Edge["env"]): Assignment[] {
  const fromEnvironment = (nonEmpty(env.MURMUR_SET) ?? "").split(";").filter((text) => text.trim() !== "");
  const seed = nonEmpty(env.MURMUR_SEED);
  return [
    ...fromEnvironment.map((text) => ({ text: text.trim(), origin: "MURMUR_SET" })),
    ...(seed === undefined ? [] : [{ text: `seed=${seed}`, origin: "MURMUR_SEED" }]),
    ...((given.set as string[] | undefined) ?? []).map((text) => ({ text, origin: "--set" })),
    ...(given.seed === undefined ? [] : [{ text: `seed=${String(given.seed)}`, origin: "--seed" }]),
  ];
}

function wantsColour(flags: GlobalFlags, edge: Edge, stream: "stdout" | "stderr"): boolean {
  return flags.color ?? (edge[stream].isTTY && edge.env.TERM !== "dumb");
}

function collect(value: string, earlier: string[] = []): string[] {
  return [...earlier, value];
}

function isFormat(value: unknown): value is Format {
  return FORMATS.some((format) => format === value);
}

function nonEmpty(value: string | undefined): string | undefined {
  return value === "" ? undefined : value;
}

function isOn(value: string | undefined): boolean {
  return value !== undefined && !["", "0", "false", "no"].includes(value.toLowerCase());
}

function withNewline(text: string): string {
  return text === "" || text.endsWith("\n") ? text : `${text}\n`;
}
