import type { Command } from "commander";
import type { Invocation } from "./invocation.ts";

/** Adds a command to its parent. */
export type CommandDefinition = (parent: Command, act: Act) => void;

/** Wraps what a command does for commander: hands over the invocation, the arguments (variadic ones spread), the options. */
export type Act = (
  action: (
    invocation: Invocation,
    args: readonly (string | undefined)[],
    options: Record<string, unknown>,
  ) => void | Promise<void>,
) => (...parameters: unknown[]) => Promise<void>;
