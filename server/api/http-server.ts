import { createServer, type RequestListener, type Server, type ServerOptions, STATUS_CODES } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { Duplex } from "node:stream";
import { createSecureContext } from "node:tls";
import { MurmurError } from "../../shared/protocol/errors.ts";
import { errorBody } from "./errors.ts";

/** PEM. */
export interface TlsFiles {
  /** The certificate, and those up to its root's. */
  readonly cert: string | Buffer;
  readonly key: string | Buffer;
}

/** How long a peer may take, milliseconds. */
export interface Patience {
  /** For the head of a request. */
  readonly head: number;
  /** For a whole request. */
  readonly request: number;
  /** Without a byte in either direction. */
  readonly idle: number;
}

export const DEFAULT_PATIENCE: Patience = { head: 10_000, request: 30_000, idle: 60_000 };

const MOST_HEADER_BYTES = 16_384;

/**
 * The server below Fastify, for TLS where there are files for it.
 * @throws {MurmurError} `tls-invalid` when certificate and key are not what they should be, or not of one another.
 */
export function createHttpServer(handler: RequestListener, patience: Patience, tls: TlsFiles | undefined): Server {
  const options: ServerOptions = {
    headersTimeout: patience.head,
    requestTimeout: patience.request,
    connectionsCheckingInterval: Math.min(5000, patience.head),
    maxHeaderSize: MOST_HEADER_BYTES,
    noDelay: true,
  };
  const server =
    tls === undefined
      ? createServer(options, handler)
      : createTlsServer({ ...options, ...tls, handshakeTimeout: patience.head }, handler);
  server.setTimeout(patience.idle);
  server.on("clientError", refuseGarbage);
  return server;
}

/** @throws {MurmurError} `tls-invalid` */
export function requireUsableTls({ cert, key }: TlsFiles): void {
  try {
    createSecureContext({ cert, key });
  } catch (cause) {
    // The library's own words name a routine, never the key.
    const what = cause instanceof Error ? cause.message : "unknown";
    throw new MurmurError("tls-invalid", `The certificate and the key cannot be used: ${what}.`, { cause });
  }
}

/** Answers bytes that are no HTTP, or come too slowly, for which there is no request to answer. */
function refuseGarbage(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === "ECONNRESET" || !socket.writable) {
    socket.destroy();
    return;
  }
  const [status, what] =
    error.code === "ERR_HTTP_REQUEST_TIMEOUT"
      ? [408, "The request came too slowly."]
      : error.code === "HPE_HEADER_OVERFLOW"
        ? [431, "The head of the request is too large."]
        : [400, "This is not HTTP."];
  const body = JSON.stringify(errorBody(new MurmurError("request-invalid", what)));
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Type: application/json; charset=utf-8\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    () => socket.destroy(),
  );
}
