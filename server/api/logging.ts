import type { FastifyBaseLogger, FastifyInstance } from "fastify";

/**
 * A logger that writes nothing secret, whatever it is handed: requests and errors as the few fields that are named
 * here, and what is called like a secret not at all.
 */
export function discreetLogger(logger: FastifyBaseLogger): FastifyBaseLogger {
  return logger.child({}, { serializers: LOG_SERIALIZERS, redact: LOG_REDACTION });
}

/** Logs each answered request in one line. */
export function logRequests(app: FastifyInstance): void {
  app.addHook("onResponse", async (request, reply) => {
    const line = {
      method: request.method,
      path: logPath(request.raw.url),
      status: reply.statusCode,
      address: request.ip,
      milliseconds: Math.round(reply.elapsedTime),
    };
    request.log.info(line, "request");
  });
}

/** An address without its query; of keys, hashes and tokens in it, too little to use and enough to tell which. */
export function logPath(url = ""): string {
  const end = url.search(/[?#]/);
  const path = end === -1 ? url : url.slice(0, end);
  return path
    .slice(0, LONGEST_PATH)
    .replace(/murmur_[eo]_[^/]*/gi, "murmur_…")
    .replace(/[0-9A-Za-z_-]{24,}/g, (run) => `${run.slice(0, 8)}…`);
}

const LONGEST_PATH = 200;

const SECRETS = [
  "authorization",
  "token",
  "joinToken",
  "operatorToken",
  "secret",
  "signature",
  "certificate",
  "publicKey",
  "idPk",
  "key",
  "cookie",
  "body",
];
export const LOG_REDACTION = {
  paths: SECRETS.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]),
  censor: "[redacted]",
};

export const LOG_SERIALIZERS = {
  req: (request: unknown) => fieldsOf(request, ["method"]),
  res: (reply: unknown) => fieldsOf(reply, ["statusCode"]),
  err: errorFields,
  error: errorFields,
};

/** Only what every error has: others hang requests, bodies and whole configurations on theirs. */
function errorFields(error: unknown): Readonly<Record<string, unknown>> {
  if (!(error instanceof Error)) return { type: typeof error };
  const cause = error.cause instanceof Error ? { cause: errorFields(error.cause) } : {};
  return { type: error.name, ...fieldsOf(error, ["code", "message", "stack"]), ...cause };
}

function fieldsOf(value: unknown, names: readonly string[]): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null) return {};
  const fields = value as Readonly<Record<string, unknown>>;
  return Object.fromEntries(names.filter((name) => name in fields).map((name) => [name, fields[name]]));
}
