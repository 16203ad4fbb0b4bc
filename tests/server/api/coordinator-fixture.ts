import { Writable } from "node:stream";
import type { FastifyInstance } from "fastify";
import { pino } from "pino";
import { cryptoProvider } from "#crypto-provider";
import { type AppOptions, createApp } from "../../../server/api/app.ts";
import { createEventFeed, type EventFeed } from "../../../server/api/event-feed.ts";
import { createMetrics } from "../../../server/api/metrics.ts";
import { createOwnNames } from "../../../server/api/own-names.ts";
import type { Services, StatusView } from "../../../server/api/services.ts";
import type { RunEvent } from "../../../shared/protocol/events.ts";
import { AUDIENCE, type Enrolment, openEnrolment, POPULATION, START } from "../enrolment/enrolment-fixtures.ts";

const HOUR = 3_600_000;

/** An event that is worth more than a few bytes. */
export function eventOf(seq: number, text = `what happened as number ${seq}`): RunEvent {
  return { v: 1, seq, t: START + seq, run: "7f3a", type: "log", p: { level: "info", text } };
}

export interface Coordinator {
  readonly app: FastifyInstance;
  readonly services: Services;
  readonly enrolment: Enrolment;
  readonly feed: EventFeed;
  /** Events that are in the store, as those before a restart. */
  readonly recorded: RunEvent[];
  readonly models: Map<string, Uint8Array>;
  readonly calls: unknown[][];
  readonly reasons: string[];
  readonly joinToken: string;
  readonly operatorToken: string;
  /** Every line that was logged. */
  log(): string;
  /** Listens on a free port of the loopback; the URL's origin. */
  listen(): Promise<string>;
  port(): number;
  close(): Promise<void>;
}

export interface CoordinatorOptions extends Partial<AppOptions> {
  readonly names?: readonly string[];
  readonly authority?: Uint8Array;
  /** Events that are there before. */
  readonly before?: number;
  readonly capacity?: number;
}

export function openCoordinator(options: CoordinatorOptions = {}): Coordinator {
  const { names = [], authority, before = 0, capacity, ...app } = options;
  const enrolment = openEnrolment(authority === undefined ? {} : { authority });
  const { registry, clock } = enrolment;
  const recorded = Array.from({ length: before }, (_, i) => eventOf(i + 1));
  const history = { last: before, older: (since: number, limit: number) => recorded.slice(since, since + limit) };
  const feed = createEventFeed(history, capacity);
  const calls: unknown[][] = [];
  const reasons: string[] = [];
  const models = new Map<string, Uint8Array>();
  const metrics = createMetrics();
  let lines = "";
  let port = Number(AUDIENCE.split(":")[1]);
  const services: Services = {
    run: "7f3a",
    population: POPULATION,
    level: authority === undefined ? "curious-server" : "active-server",
    version: "0.1.0",
    provider: cryptoProvider,
    clock,
    registry,
    feed,
    metrics,
    names: createOwnNames({ names, host: "127.0.0.1", port: () => port, interfaces: () => [] }),
    status: (): StatusView => ({
      run: "7f3a",
      population: POPULATION,
      level: "curious-server",
      protocol: 1,
      status: "running",
      round: 3,
      stage: "train",
      committed: 2,
      rounds: 10,
      devices: { enrolled: registry.enrolled(), connected: 5, waiting: 4, needed: 26 },
      model: null,
      startedAt: new Date(START).toISOString(),
      version: "0.1.0",
    }),
    models,
    devices: {
      waiting: () => 4,
      disconnect: (...args) => calls.push(["disconnect", ...args]) > 0,
    },
    stop: (request) => void calls.push(["stop", request]),
    ready: () => reasons,
  };
  const sink = new Writable({
    write(chunk, _encoding, done) {
      lines += chunk;
      done();
    },
  });
  const instance = createApp(services, {
    rateLimits: { requestsPerMinute: 10_000, connectionsPerMinute: 10_000 },
    logger: pino({ level: "trace" }, sink),
    ...app,
  });
  const terms = { count: 5, expiresAt: START + HOUR };
  return {
    app: instance,
    services,
    enrolment,
    feed,
    recorded,
    models,
    calls,
    reasons,
    joinToken: registry.createToken({ scope: "enrol", ...terms }).token,
    operatorToken: registry.createToken({ scope: "operate", ...terms }).token,
    log: () => lines,
    async listen() {
      const origin = await instance.listen({ host: "127.0.0.1", port: 0 });
      port = Number(new URL(origin).port);
      return origin;
    },
    port: () => port,
    async close() {
      await instance.close();
      metrics.dispose();
      enrolment.close();
    },
  };
}

/** A request as a device or a command line makes it, without a socket. */
export function inject(
  coordinator: Coordinator,
  method: "GET" | "HEAD" | "POST" | "DELETE",
  url: string,
  { headers = {}, body, address = "127.0.0.1" }: Injection = {},
) {
  return coordinator.app.inject({
    method,
    url,
    remoteAddress: address,
    headers: { host: `127.0.0.1:${coordinator.port()}`, ...headers },
    ...(body === undefined ? {} : { payload: body }),
  });
}

export interface Injection {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: object | string;
  readonly address?: string;
}

export function bearer(token: string): { readonly authorization: string } {
  return { authorization: `Bearer ${token}` };
}
