import { type IncomingMessage, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import proxyAddr from "@fastify/proxy-addr";
import type { FastifyInstance } from "fastify";
import { MurmurError } from "../../shared/protocol/errors.ts";
import { asMurmurError, errorBody, isFault, statusOf } from "./errors.ts";
import { logPath } from "./logging.ts";
import { type OwnNames, requireOwnOrigin } from "./own-names.ts";
import type { ConnectionLimit } from "./rate-limits.ts";

/** A request to turn a connection into a WebSocket. */
export interface Upgrade {
  readonly request: IncomingMessage;
  /** Whoever accepts takes it over; its errors before that are caught. */
  readonly socket: Duplex;
  readonly head: Buffer;
  /** The peer's, or, behind a proxy that is trusted, the one that the proxy names. */
  readonly address: string;
  readonly url: URL;
}

export interface UpgradeHandler {
  /** "/v1/device" */
  readonly path: string;
  /** Takes the socket over; what it throws refuses the connection. */
  accept(upgrade: Upgrade): void | Promise<void>;
}

export interface UpgradeOptions {
  readonly names: OwnNames;
  /** Addresses and networks of proxies whose X-Forwarded-For is believed. */
  readonly proxies: readonly string[];
  readonly handlers: readonly UpgradeHandler[];
  readonly limit: ConnectionLimit;
}

/** The one listener for upgrades: what holds for every connection is checked here, before any handler sees it. */
export function acceptUpgrades(app: FastifyInstance, { names, proxies, handlers, limit }: UpgradeOptions): void {
  const handlerOf = new Map(handlers.map((handler) => [handler.path, handler]));
  const isTrusted = proxies.length === 0 ? () => false : proxyAddr.compile([...proxies]);
  let closing = false;

  async function accept(upgrade: Upgrade): Promise<void> {
    const { request, socket, address, url } = upgrade;
    if (closing) throw new MurmurError("coordinator-busy", "The coordinator stops.");
    requireOwnOrigin(request.headers, names);
    const seconds = await limit(address);
    if (seconds !== undefined) {
      const error = new MurmurError("rate-limited", "This address connects more often than the coordinator accepts.");
      refuse(request, socket, address, error, { "Retry-After": String(seconds) });
      return;
    }
    const handler = handlerOf.get(url.pathname);
    if (handler === undefined) throw new MurmurError("no-such-thing", "No WebSocket is served under this address.");
    if (request.headers.upgrade?.toLowerCase() !== "websocket" || request.method !== "GET") {
      throw new MurmurError("request-invalid", "Only WebSocket connections are served here.");
    }
    // It may have gone meanwhile.
    if (!socket.destroyed) await handler.accept(upgrade);
  }

  function refuse(
    request: IncomingMessage,
    socket: Duplex,
    address: string,
    error: MurmurError,
    headers?: Readonly<Record<string, string>>,
  ): void {
    const status = statusOf(error.name);
    const line = { path: logPath(request.url), status, address, reason: error.name };
    if (isFault(error.name)) app.log.error({ ...line, err: error.cause ?? error }, "a connection failed");
    else app.log.info(line, "connection refused");
    refuseUpgrade(socket, error, headers);
  }

  app.server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    // Without a listener an error would end the process; whoever reads the socket hears of its close.
    socket.on("error", ignore);
    const address = proxyAddr(request, isTrusted) ?? "";
    const url = parseTarget(request.url);
    if (url === undefined) {
      refuse(request, socket, address, new MurmurError("request-invalid", "The address cannot be read."));
      return;
    }
    accept({ request, socket, head, address, url }).catch((error: unknown) => {
      refuse(request, socket, address, asMurmurError(error));
    });
  });
  app.addHook("preClose", async () => {
    closing = true;
  });
}

/** Answers an upgrade with an error, and closes. */
export function refuseUpgrade(
  socket: Duplex,
  error: MurmurError,
  headers: Readonly<Record<string, string>> = {},
): void {
  if (socket.destroyed) return;
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const status = statusOf(error.name);
  const body = JSON.stringify(errorBody(error));
  const all = {
    Connection: "close",
    ...(status === 426 ? { Upgrade: "websocket" } : {}),
    "Content-Type": "application/json; charset=utf-8",
    "Content-Length": String(Buffer.byteLength(body)),
    "Cache-Control": "no-store",
    ...headers,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.once("finish", () => socket.destroy());
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join("")}\r\n${body}`);
}

/** Undefined for what is not a path. */
function parseTarget(target = ""): URL | undefined {
  // Two slashes would start a host.
  if (!/^\/(?!\/)/.test(target)) return undefined;
  try {
    return new URL(target, "http://coordinator");
  } catch {
    return undefined;
  }
}

function ignore(): void {}
