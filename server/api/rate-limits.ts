import rateLimit from "@fastify/rate-limit";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { MurmurError } from "../../shared/protocol/errors.ts";

/** For each address, or each /64 of IPv6. */
export interface RateLimits {
  readonly requestsPerMinute: number;
  /** WebSocket connections that are asked for. */
  readonly connectionsPerMinute: number;
}

/** Addresses that are remembered; of more, those that have been quiet for longest are forgotten. */
const REMEMBERED_ADDRESSES = 10_000;
const MINUTE = 60_000;

/** Limits the requests to routes that are registered afterwards, and makes `createRateLimit` for others. */
export function limitRequests(app: FastifyInstance, { requestsPerMinute }: RateLimits): void {
  app.register(rateLimit, {
    max: requestsPerMinute,
    timeWindow: MINUTE,
    cache: REMEMBERED_ADDRESSES,
    errorResponseBuilder: tooMany,
  });
}

function tooMany(): MurmurError {
  return new MurmurError("rate-limited", "This address asks more often than the coordinator answers.");
}

/** @returns seconds after which an address may ask again; undefined when it may connect now. */
export type ConnectionLimit = (address: string) => Promise<number | undefined>;

/** Only after {@link limitRequests} has been loaded. */
export function limitConnections(app: FastifyInstance, { connectionsPerMinute }: RateLimits): ConnectionLimit {
  const take = app.createRateLimit({ max: connectionsPerMinute, timeWindow: MINUTE });
  return async (address) => {
    // An upgrade never becomes one of Fastify's requests; of one, the limiter reads no more than this.
    const verdict = await take({ ip: address, routeOptions: {} } as FastifyRequest);
    return !verdict.isAllowed && verdict.isExceeded ? Math.max(1, verdict.ttlInSeconds) : undefined;
  };
}
