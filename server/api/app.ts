import { serializerCompiler, validatorCompiler } from "@fastify/type-provider-zod";
import { type FastifyBaseLogger, type FastifyInstance, type FastifyReply, fastify, LogController } from "fastify";
import { MurmurError } from "../../shared/protocol/errors.ts";
import { enrolmentRoutes } from "./enrolment.ts";
import { answerError, answerNotFound } from "./errors.ts";
import { createEventReaders } from "./event-readers.ts";
import { eventRoutes, eventStream } from "./events.ts";
import { healthRoutes } from "./health.ts";
import { createHttpServer, DEFAULT_PATIENCE, type Patience, requireUsableTls, type TlsFiles } from "./http-server.ts";
import { discreetLogger, logRequests } from "./logging.ts";
import { metricsRoutes } from "./metrics.ts";
import { modelRoutes } from "./models.ts";
import { describeRoutes, openapiRoutes } from "./openapi.ts";
import { operatorRoutes } from "./operator.ts";
import { requireOwnOrigin } from "./own-names.ts";
import { limitConnections, limitRequests, type RateLimits } from "./rate-limits.ts";
import type { Services } from "./services.ts";
import { statusRoutes } from "./status.ts";
import { acceptUpgrades, type UpgradeHandler } from "./upgrades.ts";

export interface AppOptions {
  readonly rateLimits: RateLimits;
  /** Addresses and networks of proxies whose X-Forwarded-For is believed. */
  readonly proxies?: readonly string[];
  readonly tls?: TlsFiles;
  /** WebSocket endpoints besides the event stream. */
  readonly upgrades?: readonly UpgradeHandler[];
  /** A pino logger. Without one nothing is logged. */
  readonly logger?: FastifyBaseLogger;
  readonly patience?: Patience;
  readonly events?: { readonly limit?: number; readonly heartbeat?: number };
}

/** Bytes; enrolment takes more. */
const BODY_LIMIT = 16_384;

/** No page of another origin has any business with the answers. */
const HEADERS = {
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
  "cross-origin-resource-policy": "same-origin",
};

/**
 * The coordinator's HTTP interface, not listening yet: `await app.listen({ host, port, backlog })`. Closing it ends the
 * readers of events; connections that other handlers took over are theirs to end.
 *
 * ```
 *  request ─► own name and origin ─► rate limit ─► operator? ─► body, schema ─► route ─► answer, or the one error answer
 *  upgrade ─► own name and origin ─► rate limit ─► handler of the path
 * ```
 * @throws {MurmurError} `tls-invalid`
 */
export function createApp(services: Services, options: AppOptions): FastifyInstance {
  const { rateLimits, proxies = [], tls, upgrades = [], logger, patience = DEFAULT_PATIENCE } = options;
  const { feed, clock, metrics } = services;
  if (tls !== undefined) requireUsableTls(tls);
  const app: FastifyInstance = fastify({
    // With a server of its own, this only tells Fastify what to call the addresses.
    ...(tls === undefined ? {} : { https: {} }),
    serverFactory: (handler) => createHttpServer(handler, patience, tls),
    bodyLimit: BODY_LIMIT,
    trustProxy: proxies.length === 0 ? false : [...proxies],
    // A download that is cut off is resumed; a coordinator that cannot end is not.
    forceCloseConnections: true,
    // Its own answer has another shape than all other errors.
    return503OnClosing: false,
    logController: new LogController({ disableRequestLogging: true }),
    ...(logger === undefined ? {} : { loggerInstance: discreetLogger(logger) }),
    frameworkErrors: (error, request, reply: FastifyReply) => void reply.send(answerError(error, request, reply)),
  });
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.setErrorHandler(answerError);
  logRequests(app);
  let closing = false;
  app.addHook("onRequest", async (request, reply) => {
    reply.headers(HEADERS);
    if (closing) throw new MurmurError("coordinator-busy", "The coordinator stops.");
    requireOwnOrigin(request.headers, services.names);
  });

  const readers = createEventReaders({ feed, clock, metrics, ...options.events });
  app.addHook("preClose", async () => {
    closing = true;
    readers.close();
  });

  limitRequests(app, rateLimits);
  describeRoutes(app, services.version);
  app.register(healthRoutes(services));
  app.register(statusRoutes(services));
  app.register(enrolmentRoutes(services));
  app.register(modelRoutes(services));
  app.register(eventRoutes(readers));
  app.register(operatorRoutes(services));
  app.register(metricsRoutes(services));
  app.register(openapiRoutes);
  app.after(() => {
    app.setNotFoundHandler({ preHandler: app.rateLimit() }, answerNotFound);
    acceptUpgrades(app, {
      names: services.names,
      proxies,
      handlers: [eventStream(readers, clock), ...upgrades],
      limit: limitConnections(app, rateLimits),
    });
  });
  return app;
}
