import type { FastifyBaseLogger } from "fastify";
import type { TlsFiles } from "../../server/api/http-server.ts";
import { type Coordinator, type Farewell, openCoordinator } from "../../server/coordinator.ts";
import type { Registry } from "../../server/enrolment/registry.ts";
import type { TokenTerms } from "../../server/enrolment/tokens.ts";
import { MurmurError } from "../../shared/protocol/errors.ts";
import type { RunEvent } from "../../shared/protocol/events.ts";
import { seededRandom } from "../../shared/random/seeded-random.ts";
import type { TimeSources } from "../../shared/time/steady-clock.ts";
import type { StopSwitch } from "../../shared/time/stop-signal.ts";
import { partitionSpecification } from "../datasets/partitions/specification.ts";
import { datasetReference } from "../datasets/reference.ts";
import { invitedPerRound, type RunConfig } from "./config.ts";
import { type Experiment, prepareExperiment } from "./experiment.ts";
import { type Federation, type PlayedRound, summedOutcome } from "./federation.ts";
import { pinnedAuthority } from "./run-authority.ts";
import type { Federate, FederateContext } from "./run-context.ts";
import { readServeFile, removeServeFile, type ServeFile, writeServeFile } from "./serve-file.ts";

export interface ServeOptions {
  /** Where to listen, if not where the configuration says. */
  readonly host?: string;
  readonly port?: number;
  readonly tls?: TlsFiles;
  /** A join token that the operator chose. */
  readonly joinToken?: string;
  /** The program's version. */
  readonly version: string;
  readonly logger?: FastifyBaseLogger;
  readonly time: TimeSources;
  defer(task: () => void): void;
  readonly stop: StopSwitch;
  /** Told once it listens. */
  onListening(serving: ServeFile): void;
}

/** Devices on sockets: a coordinator listens for them for as long as the run goes on. */
export function federateServed(options: ServeOptions): Federate {
  return async (context) => {
    requireServable(context.config);
    const authority = pinnedAuthority(context.config, context.warn);
    const experiment = await prepareExperiment({ ...context, ...(authority === undefined ? {} : { authority }) });
    try {
      const coordinator = await listen(context, experiment, options);
      return servedFederation(context, experiment, coordinator);
    } catch (error) {
      await experiment.dispose();
      throw error;
    }
  };
}

/** What is only of a simulation in one process has no meaning for devices on sockets. */
function requireServable({ fleet, secagg, round, privacy }: RunConfig): void {
  if (privacy !== undefined) {
    throw new MurmurError(
      "config-invalid",
      "privacy asks for Poisson cohorts in a constant roster, and devices on sockets come when they can: the ε would not hold.",
      { hint: "Play private rounds with `murmur run`; without `privacy` the run can be served, and claims no ε." },
    );
  }
  const keys = [
    ...(fleet.phones === undefined ? [] : ["fleet.phones"]),
    ...(round.buffered === undefined ? [] : ["round.buffered"]),
    ...(secagg.fidelity === "real" ? [] : ["secagg.fidelity"]),
  ];
  if (keys.length === 0) return;
  throw new MurmurError(
    "config-invalid",
    `${keys.join(" and ")} simulate what real devices are; they cannot be served.`,
    {
      hint: "Leave them out, or play the experiment with `murmur run`.",
    },
  );
}

async function listen(context: FederateContext, experiment: Experiment, options: ServeOptions): Promise<Coordinator> {
  const { config, provider, store, folder, runId } = context;
  const { serve, task, fleet, seed } = config;
  const coordinator = await openCoordinator({
    run: runId,
    version: options.version,
    provider,
    time: options.time,
    defer: options.defer,
    store,
    task: experiment.task,
    dealt: {
      seed,
      dataset: datasetReference(task.dataset, experiment.dataset),
      partition: partitionSpecification(task.partition),
      devices: fleet.devices,
      dropout: fleet.dropout,
    },
    invited: invitedPerRound(config),
    rounds: config.round.count,
    selection: (round) => seededRandom(seed, "selection", round),
    network: {
      host: options.host ?? serve.host,
      port: options.port ?? serve.port,
      names: serve.names,
      proxies: serve.proxies,
      ...(options.tls === undefined ? {} : { tls: options.tls }),
      mostConnections: serve.connections,
      rateLimits: {
        requestsPerMinute: serve.rateLimit.requests,
        connectionsPerMinute: serve.rateLimit.connections,
      },
    },
    timing: {
      selection: serve.selection,
      every: serve.every ?? 0,
      heartbeat: serve.heartbeat,
      stall: serve.stall,
    },
    ...(options.logger === undefined ? {} : { logger: options.logger }),
    stop: (request) => options.stop.ask(request),
    onClockLeap: (milliseconds) =>
      context.warn(
        `The machine's clock has leapt by ${(milliseconds / 1000).toFixed(1)} s; no deadline was moved by it.`,
      ),
  });
  try {
    const serving = { url: coordinator.url, pid: process.pid, ...tokensOf(context, coordinator.registry, options) };
    writeServeFile(folder, serving);
    options.onListening(serving);
    return coordinator;
  } catch (error) {
    await coordinator.close("stopping");
    throw error;
  }
}

/** The tokens of a coordinator that was killed go on being good: devices were given one of them. */
function tokensOf(
  { config, folder, clock }: FederateContext,
  registry: Registry,
  { joinToken }: ServeOptions,
): Pick<ServeFile, "joinToken" | "operatorToken"> {
  const { expires, count } = config.serve.joinToken;
  const before = readServeFile(folder);
  const enrols = { scope: "enrol", count, expiresAt: clock() + expires } as const;
  return {
    joinToken:
      joinToken === undefined ? continued(registry, before?.joinToken, enrols) : chosen(registry, joinToken, enrols),
    operatorToken: continued(registry, before?.operatorToken, {
      scope: "operate",
      count: 1,
      expiresAt: clock() + OPERATOR_TOKEN_MS,
    }),
  };
}

/** It is revoked when the coordinator ends; this is for one that never gets to it. */
const OPERATOR_TOKEN_MS = 10 * 365 * 86_400_000;

/** @throws {MurmurError} token-invalid */
function chosen(registry: Registry, token: string, terms: TokenTerms): string {
  registry.adoptToken(token, terms);
  return token;
}

/** The token that an earlier process of this run made, if it is still good, or a new one. */
function continued(registry: Registry, known: string | undefined, terms: TokenTerms): string {
  try {
    if (known !== undefined) return chosen(registry, known, terms);
  } catch (error) {
    // The operator has revoked it.
    if (!(error instanceof MurmurError) || error.name !== "token-invalid") throw error;
  }
  return registry.createToken(terms).token;
}

function servedFederation({ folder }: FederateContext, experiment: Experiment, coordinator: Coordinator): Federation {
  const { host } = coordinator;
  let farewell: Farewell = "stopping";
  return {
    experiment,
    async ready(broadcast, watch) {
      const gathered = await host.gather(broadcast, watch);
      if (gathered !== "exhausted") return gathered;
      throw new MurmurError(
        "model-exhausted",
        `The run cannot go on: fewer than ${host.need} of the enrolled devices have not uploaded for the model.`,
      );
    },
    async play(number, broadcast, observer): Promise<PlayedRound> {
      const { invited, traffic, opened } = await host.play(number, broadcast, observer);
      const { result, abandoned } = opened.round;
      if (result !== undefined) {
        const outcome = summedOutcome(opened.decode(result.sum, result.survivors.length), result.survivors);
        return { invited: invited.length, traffic, outcome };
      }
      if (abandoned === undefined) throw new Error("a round that is over has a sum, or a reason");
      return { invited: invited.length, traffic, outcome: { kind: "abandoned", ...abandoned } };
    },
    onEvent(event: RunEvent) {
      coordinator.onEvent(event);
      // What failed or was stopped can go on; its devices look for it again.
      if (event.type === "run.done" && (event.p.status === "done" || event.p.status === "diverged"))
        farewell = "finished";
    },
    async dispose() {
      try {
        revokeOperator(folder, coordinator.registry);
        removeServeFile(folder);
      } finally {
        await coordinator.close(farewell).finally(() => experiment.dispose());
      }
    },
  };
}

/** The operator's token is for this process's life. Where the store is what ended it, it expires by itself. */
function revokeOperator(folder: string, registry: Registry): void {
  const id = readServeFile(folder)?.operatorToken.split("_")[2];
  if (id === undefined) return;
  try {
    registry.revokeToken(id);
  } catch (error) {
    if (!(error instanceof MurmurError)) throw error;
  }
}
