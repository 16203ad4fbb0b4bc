import { Command, CommanderError } from "commander";
import { MurmurError } from "../shared/protocol/errors.ts";
import type { Act, CommandDefinition } from "./command.ts";
import { authority } from "./commands/authority.ts";
import { bench } from "./commands/bench.ts";
import { compare } from "./commands/compare.ts";
import { config } from "./commands/config.ts";
import { device } from "./commands/device.ts";
import { doctor } from "./commands/doctor.ts";
import { explain } from "./commands/explain.ts";
import { exportCommand } from "./commands/export.ts";
import { init } from "./commands/init.ts";
import { join } from "./commands/join.ts";
import { list } from "./commands/list.ts";
import { partition } from "./commands/partition.ts";
import { privacy } from "./commands/privacy.ts";
import { rm } from "./commands/rm.ts";
import { run } from "./commands/run.ts";
import { secagg } from "./commands/secagg.ts";
import { serve } from "./commands/serve.ts";
import { show } from "./commands/show.ts";
import { stop } from "./commands/stop.ts";
import { token } from "./commands/token.ts";
import { verify } from "./commands/verify.ts";
import type { Edge } from "./edge.ts";
import { addGlobalFlags, beginInvocation, requestedFormat } from "./invocation.ts";
import { toolVersion } from "./version.ts";
import { colours } from "./views/colours.ts";

/** Every command, by the group that the help lists it under. One line adds one. */
const COMMANDS: Readonly<Record<string, readonly CommandDefinition[]>> = {
  "Runs:": [init, run, serve, list, show, compare, verify, exportCommand, rm],
  "Privacy:": [bench, privacy],
  "Devices:": [join, device],
  "A running coordinator:": [token, stop],
  "Configuration and keys:": [config, partition, authority, secagg],
  "Help:": [explain, doctor],
};

/**
 * Carries out one command line and tells the exit code (`demo.md` 5.2). Nothing is thrown: what goes wrong is printed.
 */
export async function runCommandLine(args: readonly string[], edge: Edge): Promise<number> {
  let exitCode = 0;
  const program = createProgram(edge, (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync(args.length === 0 ? ["--help"] : [...args], { from: "user" });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return 0;
      if (error.code === "commander.help") return 2;
      return report(usageError(error), args, edge);
    }
    return report(error, args, edge);
  }
}

function createProgram(edge: Edge, endWith: (exitCode: number) => void): Command {
  const program = addGlobalFlags(new Command("murmur"))
    .description("Federated learning where the coordinator sees nothing but sums.")
    .version(toolVersion(), "-V, --version", "print the version")
    .exitOverride()
    .configureOutput({
      writeOut: (text) => edge.stdout.write(text),
      writeErr: (text) => edge.stderr.write(text),
      outputError: () => undefined,
      getOutHelpWidth: () => edge.stdout.columns,
      getErrHelpWidth: () => edge.stderr.columns,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .addHelpCommand(
      new Command("help")
        .argument("[command]")
        .description("this, or a command's")
        .helpOption(false)
        .helpGroup("Help:"),
    )
    .addHelpText("after", "\nFirst time here? `murmur run` trains on MNIST with 100 simulated devices.");
  const act: Act =
    (action) =>
    async (...parameters) => {
      // commander calls an action with its arguments, its options, and the command.
      const command = parameters[parameters.length - 1] as Command;
      const options = parameters[parameters.length - 2] as Record<string, unknown>;
      const values = parameters.slice(0, -2).flat() as (string | undefined)[];
      await action(beginInvocation(command, edge, endWith), values, options);
    };
  for (const [group, commands] of Object.entries(COMMANDS)) {
    for (const define of commands) define(program.commandsGroup(group), act);
  }
  inheritSettings(program);
  return program;
}

/** commander copies these to subcommands made by `.command()` only at that moment; and not the help of global flags. */
function inheritSettings(command: Command): void {
  for (const inner of command.commands) {
    inner.copyInheritedSettings(command).configureHelp({ showGlobalOptions: true });
    inheritSettings(inner);
  }
}

function usageError(error: CommanderError): MurmurError {
  const [message, ...rest] = error.message.replace(/^error: /, "").split("\n");
  const suggestion = /\(Did you mean (.*)\?\)/.exec(rest.join(" "))?.[1];
  const sentence = `${message[0].toUpperCase()}${message.slice(1)}.`;
  return new MurmurError(
    "usage",
    sentence.replace(/\.\.$/, "."),
    suggestion === undefined ? {} : { hint: `Did you mean ${suggestion}? \`murmur --help\` lists what there is.` },
  );
}

/** Prints an error in the form that was asked for: an object on standard output for json, words on standard error. */
function report(error: unknown, args: readonly string[], edge: Edge): number {
  const known = error instanceof MurmurError ? error : unexpected(error);
  const format = requestedFormat(args, edge.env);
  if (format !== "text") {
    const document = {
      ok: false,
      code: known.exitCode,
      name: known.name,
      message: known.message,
      hint: known.hint,
      docs: `murmur explain ${known.name}`,
    };
    if (format === "json") edge.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
    else edge.stderr.write(`${JSON.stringify(document)}\n`);
  } else {
    const plain = args.includes("--no-color") || (edge.env.NO_COLOR ?? "") !== "";
    const paint = colours(!plain && edge.stderr.isTTY);
    edge.stderr.write(`${paint.error("error:")} ${known.message}\n`);
    edge.stderr.write(`${paint.dim("hint:")}  ${known.hint}\n`);
    edge.stderr.write(`${paint.dim(`       murmur explain ${known.name}`)}\n`);
  }
  const verbose = args.some((argument) => argument === "-v" || argument === "--verbose");
  if (verbose && error instanceof Error) edge.stderr.write(`${stackOf(error)}\n`);
  return known.exitCode;
}

function unexpected(error: unknown): MurmurError {
  const message = error instanceof Error ? error.message : String(error);
  const code = (error as { code?: unknown } | null)?.code;
  if (code === "EACCES" || code === "EPERM" || code === "EROFS" || code === "ENOSPC") {
    return new MurmurError("environment", message, { cause: error });
  }
  return new MurmurError("internal", message, {
    hint: "Run it again with -v for the stack trace, and report it with the output of `murmur doctor`.",
    cause: error,
  });
}

function stackOf(error: Error): string {
  const cause = error.cause instanceof Error ? `\ncaused by ${stackOf(error.cause)}` : "";
  return `${error.stack ?? error.message}${cause}`;
}
