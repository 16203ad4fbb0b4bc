import { hasZodFastifySchemaValidationErrors } from "@fastify/type-provider-zod";
import type { FastifyError, FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import { ERROR_CATALOGUE, type ErrorName } from "../../shared/protocol/error-catalogue.ts";
import { MurmurError } from "../../shared/protocol/errors.ts";

/** The body of every answer that is an error, the same as the command line's. */
export const errorSchema = z
  .object({
    ok: z.literal(false),
    code: z.int().describe("what the command line would exit with"),
    name: z.string().describe("`murmur explain NAME` tells more"),
    message: z.string(),
    hint: z.string(),
    docs: z.string(),
  })
  .meta({ id: "Error" });
export type ErrorBody = z.infer<typeof errorSchema>;

/** The answers that any route can give besides its own. */
export const errorResponses = { "4xx": errorSchema, "5xx": errorSchema } as const;

const STATUS: Partial<Record<ErrorName, number>> = {
  "request-invalid": 400,
  "token-missing": 401,
  "token-invalid": 401,
  "token-expired": 403,
  "token-used-up": 403,
  "device-revoked": 403,
  "device-uncertified": 403,
  "operator-only": 401,
  "origin-refused": 403,
  "no-such-thing": 404,
  "request-too-large": 413,
  "protocol-version": 426,
  "rate-limited": 429,
  "coordinator-busy": 503,
  "disk-full": 503,
  "store-locked": 503,
  "store-unavailable": 503,
};

/** Their messages name files of the operator's; whoever asks over the network is told the general sentence. */
const LOCAL_ERRORS: ReadonlySet<ErrorName> = new Set(["disk-full", "store-locked", "store-unavailable"]);

/** The HTTP status of an error; 500 for one that is not for whoever asked. */
export function statusOf(name: ErrorName): number {
  return STATUS[name] ?? 500;
}

/** Whether the operator must hear of it: not what a peer did, but what went wrong here. */
export function isFault(name: ErrorName): boolean {
  return statusOf(name) === 500 || LOCAL_ERRORS.has(name);
}

/** What may be told of an error. */
export function errorBody(error: MurmurError): ErrorBody {
  const { name } = error;
  if (statusOf(name) === 500) return bodyOf("internal", "The coordinator could not answer.", SEE_THE_LOG);
  if (LOCAL_ERRORS.has(name)) return bodyOf(name, ERROR_CATALOGUE[name].what, SEE_THE_LOG);
  return bodyOf(name, error.message, error.hint);
}

const SEE_THE_LOG = "The coordinator's log has more.";

function bodyOf(name: ErrorName, message: string, hint: string): ErrorBody {
  return { ok: false, code: ERROR_CATALOGUE[name].exitCode, name, message, hint, docs: `murmur explain ${name}` };
}

/** The error for whatever was thrown while a request was read or answered. */
export function asMurmurError(error: unknown): MurmurError {
  if (error instanceof MurmurError) return error;
  if (hasZodFastifySchemaValidationErrors(error)) return new MurmurError("request-invalid", problemsOf(error));
  const { statusCode, code } = (error ?? {}) as Partial<FastifyError>;
  if (statusCode === 413) return new MurmurError("request-too-large", "The body is larger than this address takes.");
  if (statusCode === 415) return new MurmurError("request-invalid", "The body is not declared as application/json.");
  if (code === "FST_ERR_BAD_URL" || code === "FST_ERR_MAX_PARAM_LENGTH") {
    return new MurmurError("request-invalid", "The address cannot be read.");
  }
  // What Fastify says about a body that it cannot parse may repeat some of it.
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    return new MurmurError("request-invalid", "The body is not the JSON that it is declared to be.");
  }
  return new MurmurError("internal", "Something unexpected went wrong.", { cause: error });
}

const MOST_PROBLEMS = 3;
const LONGEST_PROBLEM = 160;

/** Where and what, never the value that was sent. */
function problemsOf(error: { readonly validation: readonly { instancePath?: string; message?: string }[] }): string {
  const problems = error.validation.slice(0, MOST_PROBLEMS).map(({ instancePath = "/", message = "is not valid" }) => {
    return `${instancePath.slice(1) || "the request"}: ${message}`.slice(0, LONGEST_PROBLEM);
  });
  const more = error.validation.length - problems.length;
  return `${problems.join("; ")}${more > 0 ? `; and ${more} more` : ""}.`;
}

/** The one place where an error becomes an answer. */
export function answerError(error: unknown, request: FastifyRequest, reply: FastifyReply): ErrorBody {
  const known = asMurmurError(error);
  const status = statusOf(known.name);
  if (isFault(known.name)) request.log.error({ err: known.cause ?? known }, "a request failed");
  reply.code(status);
  if (status === 401) reply.header("www-authenticate", "Bearer");
  // A body that was not read must not be taken for the next request.
  if (status === 413) reply.header("connection", "close");
  return errorBody(known);
}

export function answerNotFound(request: FastifyRequest, reply: FastifyReply): ErrorBody {
  return answerError(new MurmurError("no-such-thing", "There is nothing under this address."), request, reply);
}
