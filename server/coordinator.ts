import type { AddressInfo } from "node:net";
import type { FastifyBaseLogger } from "fastify";
import { equalBytes, fromHex, toHex } from "../shared/crypto/bytes.ts";
import type { CryptoProvider } from "../shared/crypto/provider.ts";
import type { DealtSimulation, ReturnWindow } from "../shared/protocol/connection-messages.ts";
import { MurmurError } from "../shared/protocol/errors.ts";
import type { RunEvent } from "../shared/protocol/events.ts";
import { FRAME_VERSION } from "../shared/protocol/frame.ts";
import { bracketed, isWildcard } from "../shared/protocol/hosts.ts";
import type { SeededRandom } from "../shared/random/seeded-random.ts";
import type { Clock } from "../shared/time/clock.ts";
import { steadyClock, type TimeSources } from "../shared/time/steady-clock.ts";
import type { StopRequest } from "../shared/time/stop-signal.ts";
import { createApp } from "./api/app.ts";
import { deviceEndpoint } from "./api/device-endpoint.ts";
import { createEventFeed } from "./api/event-feed.ts";
import type { TlsFiles } from "./api/http-server.ts";
import { createMetrics } from "./api/metrics.ts";
import { createOwnNames, ownAddresses } from "./api/own-names.ts";
import type { RateLimits } from "./api/rate-limits.ts";
import { createDeviceHub, type DeviceHub } from "./connections/device-hub.ts";
import { largestDeviceFrame } from "./connections/frame-limits.ts";
import { simulatedPlaces } from "./connections/places.ts";
import { createSendPump } from "./connections/send-pump.ts";
import { createRegistry, type Registry } from "./enrolment/registry.ts";
import { type Log, logEvent } from "./event-log-lines.ts";
import { countEvent } from "./event-metrics.ts";
import { hubObserver } from "./hub-observer.ts";
import { createRoundHost, type RoundHost } from "./round-host.ts";
import { trackRunStatus } from "./run-status.ts";
import { returnWindow } from "./selection/pace.ts";
import type { RunStore } from "./store/run-store.ts";
import type { FederatedTask } from "./task.ts";

/** A coordinator that listens: its devices, its interface, and the host of its rounds. */
export interface Coordinator {
  /** "http://127.0.0.1:8080" */
  readonly url: string;
  readonly registry: Registry;
  readonly hub: DeviceHub;
  readonly host: RoundHost;
  /** Hears every event of the run. */
  onEvent(event: RunEvent): void;
  /** Says goodbye to everybody, and stops listening. */
  close(farewell: Farewell): Promise<void>;
}

/** Whether devices should come back. */
export type Farewell = "stopping" | "finished";

export interface CoordinatorOptions {
  readonly run: string;
  readonly version: string;
  readonly provider: CryptoProvider;
  /** The machine's clocks. What expires goes by the one that people set, what waits by the one that nobody does. */
  readonly time: TimeSources;
  /** Runs a task after everything that waits now. */
  defer(task: () => void): void;
  readonly store: Pick<RunStore, "enrolment" | "events" | "nextSequence" | "rounds" | "meta">;
  readonly task: FederatedTask;
  /** What the devices of the simulated fleet are dealt. */
  readonly dealt: Omit<DealtSimulation, "index">;
  /** Devices that a round invites. */
  readonly invited: number;
  /** Rounds that the run is to commit. */
  readonly rounds: number;
  /** Draws a round's cohort. */
  selection(round: number): SeededRandom;
  readonly network: NetworkOptions;
  readonly timing: {
    /** Milliseconds; see the configuration's `serve` section. */
    readonly selection: number;
    readonly every: number;
    readonly heartbeat: number;
    readonly stall: number;
  };
  readonly logger?: FastifyBaseLogger;
  stop(request: Exclude<StopRequest, "none">): void;
  onClockLeap(milliseconds: number): void;
}

export interface NetworkOptions {
  readonly host: string;
  readonly port: number;
  readonly names: readonly string[];
  readonly proxies: readonly string[];
  readonly tls?: TlsFiles;
  readonly mostConnections: number;
  readonly rateLimits: RateLimits;
}

const HANDSHAKE_MS = 10_000;
/** Sockets that the operating system keeps for a coordinator that is busy; Linux cuts it to net.core.somaxconn. */
const BACKLOG = 4096;
/** After a stop, devices look for the coordinator again soon. */
const RESTART_WINDOW: ReturnWindow = { min: 500, max: 5_000 };

/**
 * Opens a coordinator and listens.
 * @throws {MurmurError} `address-in-use`, `address-unavailable`, `tls-invalid`
 */
export async function openCoordinator(options: CoordinatorOptions): Promise<Coordinator> {
  const { provider, time, store, task, network, timing, logger } = options;
  // A round's own clock is brought in line between rounds; who is alive goes by one that never is.
  const roundClock = steadyClock(time);
  const liveClock: Clock = steadyClock(time);
  const wallClock: Clock = { now: time.wall, after: time.after };
  const { population, mode, level } = task.terms;
  const log = logger ?? SILENT;
  const metrics = createMetrics();
  const registry = createRegistry({
    store: store.enrolment,
    provider,
    clock: wallClock,
    population,
    ...(task.authority === undefined ? {} : { authority: task.authority }),
  });
  const feed = createEventFeed({
    last: store.nextSequence() - 1,
    older: (since, limit) => store.events(since, limit),
  });
  const status = trackRunStatus(store.rounds().filter(({ outcome }) => outcome === "committed").length);
  let port = network.port;
  const names = createOwnNames({ ...network, port: () => port, interfaces: ownAddresses });
  const pump = createSendPump({
    clock: liveClock,
    defer: options.defer,
    patience: timing.stall,
    onStalled(socket) {
      metrics.slowReader();
      const connection = hub.connectionOf(socket);
      // One that is being sent away has no place any more, but still a socket.
      if (connection === undefined) socket.terminate();
      else hub.cutOff(connection, "too-slow");
    },
  });
  let roundStartedAt = liveClock.now();
  let roundMs = 0;

  function pace(waiting: number): ReturnWindow | undefined {
    return returnWindow({
      untilRound: host.nextRoundAt === undefined ? 0 : host.nextRoundAt - roundClock.now(),
      interval: Math.max(timing.every, roundMs),
      population: registry.enrolled(),
      wanted: 3 * options.invited,
      waiting,
      room: network.mostConnections,
    });
  }

  const hub = createDeviceHub({
    provider,
    clock: liveClock,
    wallSeconds: () => Math.floor(time.wall() / 1000),
    pump,
    places: simulatedPlaces(options.dealt),
    rules: {
      provider,
      population,
      standing: (idPk) => registry.admit(idPk),
      enrolledCertificate: (idPk) => registry.device(idPk)?.certificate ?? new Uint8Array(0),
      isOwnName: (audience) => names.accepts(audience),
      ...(task.authority === undefined ? {} : { authority: task.authority }),
    },
    lastPlace: (idPk) => registry.lastName(idPk),
    remember(idPk, device) {
      try {
        registry.remember(idPk, device);
      } catch (error) {
        // It would be called the same next time; nothing rests on it.
        if (!(error instanceof MurmurError)) throw error;
        log.warn({ reason: error.name }, "a device's place was not noted");
      }
    },
    pace,
    heartbeat: timing.heartbeat,
    handshakeTimeout: HANDSHAKE_MS,
    observer: hubObserver(metrics, log),
  });
  const host = createRoundHost({
    provider,
    task,
    hub,
    clock: roundClock,
    fleet: options.dealt.devices,
    enrolled: () => registry.enrolled(),
    invited: options.invited,
    selectionWindow: timing.selection,
    interval: timing.every,
    selection: options.selection,
    onClockLeap: options.onClockLeap,
  });
  const protection = mode === "plaintext" ? "plaintext" : level;
  const startedAt = new Date(time.wall()).toISOString();
  let closing = false;
  const app = createApp(
    {
      run: options.run,
      population,
      level: protection,
      version: options.version,
      provider,
      clock: liveClock,
      registry,
      feed,
      metrics,
      names,
      status: () => ({
        run: options.run,
        population,
        level: protection,
        protocol: FRAME_VERSION,
        status: status.status,
        round: status.round,
        stage: status.stage,
        committed: status.committed,
        rounds: options.rounds,
        devices: {
          enrolled: registry.enrolled(),
          connected: hub.connected,
          waiting: hub.waitingCount,
          needed: host.need,
        },
        model: host.model === undefined ? null : { hash: toHex(host.model.hash), bytes: host.model.bytes.length },
        startedAt,
        version: options.version,
      }),
      models: {
        get: (hash) =>
          host.model !== undefined && equalBytes(host.model.hash, fromHex(hash)) ? host.model.bytes : undefined,
      },
      devices: { waiting: () => hub.waitingCount, disconnect: hub.disconnect },
      stop: options.stop,
      ready: () => (closing ? ["the coordinator stops"] : []),
    },
    {
      rateLimits: network.rateLimits,
      proxies: network.proxies,
      ...(network.tls === undefined ? {} : { tls: network.tls }),
      upgrades: [
        deviceEndpoint({
          hub,
          largestFrame: largestDeviceFrame(task.terms),
          mostConnections: network.mostConnections,
        }),
      ],
      ...(logger === undefined ? {} : { logger }),
    },
  );

  try {
    await listen();
  } catch (error) {
    metrics.dispose();
    pump.close();
    await app.close();
    throw error;
  }
  let cancelBeat = liveClock.after(hub.beatInterval, beat);

  async function listen(): Promise<void> {
    try {
      await app.listen({ host: network.host, port: network.port, backlog: BACKLOG });
    } catch (error) {
      throw listenError(error, network);
    }
    const address = app.server.address() as AddressInfo | null;
    port = address?.port ?? port;
  }

  function beat(): void {
    hub.beat();
    metrics.devices({ enrolled: registry.enrolled(), waiting: hub.waitingCount });
    cancelBeat = liveClock.after(hub.beatInterval, beat);
  }

  return {
    url: `${network.tls === undefined ? "http" : "https"}://${reachableName(network.host)}:${port}`,
    registry,
    hub,
    host,
    onEvent(event) {
      if (event.type === "round.started") roundStartedAt = liveClock.now();
      if (event.type === "round.done" || event.type === "round.abandoned") roundMs = liveClock.now() - roundStartedAt;
      status.advance(event);
      countEvent(metrics, event);
      logEvent(log, event);
      feed.append(event);
    },
    async close(farewell) {
      closing = true;
      cancelBeat();
      if (farewell === "finished") hub.close("finished", "The run is over.");
      else hub.close("stopping", "The coordinator stops.", RESTART_WINDOW);
      // What says goodbye is on its way; who does not read it is not waited for.
      await app.close();
      pump.close();
      metrics.dispose();
    },
  };
}

const SILENT: Log = { debug() {}, info() {}, warn() {}, error() {} };

/** How the machine itself reaches what listens on `host`. */
function reachableName(host: string): string {
  if (!isWildcard(host)) return bracketed(host);
  return host.includes(":") ? "[::1]" : "127.0.0.1";
}

function listenError(error: unknown, { host, port }: NetworkOptions): unknown {
  const code = (error as NodeJS.ErrnoException | null)?.code;
  const options = { cause: error };
  if (code === "EADDRINUSE") return new MurmurError("address-in-use", `Port ${port} of ${host} is in use.`, options);
  if (code === "EACCES" || code === "EADDRNOTAVAIL" || code === "ENOTFOUND" || code === "EAI_AGAIN") {
    return new MurmurError("address-unavailable", `${host}:${port} cannot be listened on (${code}).`, options);
  }
  return error;
}
