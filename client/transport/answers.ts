import { ERROR_CATALOGUE, type ErrorName } from "../../shared/protocol/error-catalogue.ts";
import { MurmurError } from "../../shared/protocol/errors.ts";
import type { TransportEnd } from "./transport.ts";

/** An HTTP answer that is not the one that was hoped for. */
export interface UnwelcomeAnswer {
  readonly status: number;
  /** The header, if there is one. */
  readonly retryAfter: string | undefined;
  readonly body: string;
}

/** Largest body of such an answer that is read, bytes. */
export const LARGEST_ANSWER = 65_536;

/**
 * What an unwelcome answer means: an error that the coordinator names ends the device, for trying again would not help;
 * an overload, a fault of the server's or a proxy without its coordinator may pass.
 */
export function readAnswer({ status, retryAfter, body }: UnwelcomeAnswer): TransportEnd {
  const named = namedError(body);
  const detail = named?.message ?? `the coordinator's address answered with HTTP status ${status}`;
  if (status === 429 || status === 408 || status >= 500) {
    const wait = retryMilliseconds(retryAfter);
    return { detail, ...(wait === undefined ? {} : { retryAfter: wait }) };
  }
  return {
    detail,
    error:
      named ??
      new MurmurError("device-refused", `What answers there, with HTTP status ${status}, is not a coordinator.`, {
        hint: "Check the address: `murmur serve` prints it.",
      }),
  };
}

/** The text of another program, fit for a terminal: one line, no control characters, not endless. */
export function plainText(text: string): string {
  return text
    .replace(/\p{C}+/gu, " ")
    .trim()
    .slice(0, 500);
}

/** Longest wait that a coordinator may ask for, milliseconds: a day. */
const LONGEST_RETRY = 86_400_000;

function retryMilliseconds(header: string | undefined): number | undefined {
  if (header === undefined || !/^\d{1,9}$/.test(header)) return undefined;
  return Math.min(LONGEST_RETRY, Number(header) * 1000);
}

/** The error of the coordinator's JSON, `{ok: false, name, message, hint}`. */
function namedError(body: string): MurmurError | undefined {
  let document: unknown;
  try {
    document = JSON.parse(body);
  } catch {
    return undefined;
  }
  if (typeof document !== "object" || document === null) return undefined;
  const { ok, name, message, hint } = document as Record<string, unknown>;
  if (ok !== false || typeof message !== "string" || !isErrorName(name)) return undefined;
  return new MurmurError(name, plainText(message), typeof hint === "string" ? { hint: plainText(hint) } : {});
}

function isErrorName(name: unknown): name is ErrorName {
  return typeof name === "string" && Object.hasOwn(ERROR_CATALOGUE, name);
}
