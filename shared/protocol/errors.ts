import { ERROR_CATALOGUE, type ErrorName } from "./error-catalogue.ts";

/**
 * An error that a person can meet: a name that `murmur explain` knows, a sentence that says what happened, and a remedy.
 * Programming errors are plain `Error`s.
 */
export class MurmurError extends Error {
  override readonly name: ErrorName;
  /** What to do about it. */
  readonly hint: string;
  /** The process's exit code when this ends it (`demo.md` 5.2). */
  readonly exitCode: number;

  constructor(name: ErrorName, message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = name;
    this.hint = options.hint ?? ERROR_CATALOGUE[name].hint;
    this.exitCode = ERROR_CATALOGUE[name].exitCode;
  }
}
