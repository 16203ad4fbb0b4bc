import type { IncomingMessage } from "node:http";
import { type RawData, WebSocket } from "ws";
import { DEVICE_PATH, subprotocol } from "../../shared/protocol/connection-messages.ts";
import type { Clock } from "../../shared/time/clock.ts";
import { LARGEST_ANSWER, readAnswer } from "./answers.ts";
import type { Dial, TransportEnd, TransportEvents } from "./transport.ts";

export interface WebSocketOptions {
  /** The coordinator's origin, http or https. */
  readonly origin: URL;
  readonly software: string;
  readonly clock: Clock;
}

/** Milliseconds for TCP, TLS and the upgrade together. */
const HANDSHAKE_TIMEOUT = 10_000;
/** Milliseconds in which the other side may say goodbye too. */
const GOODBYE_TIMEOUT = 2_000;
/** Bytes. A model's frame has at most 1 MiB; this holds a roster of 60,000 devices. */
const LARGEST_FRAME = 16 * 1024 * 1024;

/** Dials with `ws`, in Node. Certificates are checked against Node's roots and those of NODE_EXTRA_CA_CERTS. */
export function webSocketDial({ origin, software, clock }: WebSocketOptions): Dial {
  const url = new URL(DEVICE_PATH, origin);
  url.protocol = origin.protocol === "https:" ? "wss:" : "ws:";
  return (events) => {
    const socket = new WebSocket(url, [subprotocol()], {
      perMessageDeflate: false,
      maxPayload: LARGEST_FRAME,
      handshakeTimeout: HANDSHAKE_TIMEOUT,
      headers: { "user-agent": software },
    });
    const end = endOnce(events);
    socket.on("open", () => events.opened());
    socket.on("ping", () => events.heard());
    socket.on("message", (data, isBinary) => {
      if (isBinary) return events.frame(bytesOf(data));
      end({ detail: "the coordinator sent text where frames belong" });
      socket.terminate();
    });
    socket.on("unexpected-response", (_request, response) => {
      readBody(response, clock, (body) => {
        const retryAfter = response.headers["retry-after"];
        end(readAnswer({ status: response.statusCode ?? 0, retryAfter, body }));
        socket.terminate();
      });
    });
    socket.on("error", (error) => end({ detail: errorText(error) }));
    socket.on("close", (code) => end({ detail: `the connection closed (${code})` }));
    return {
      send: (frame) => socket.send(frame, { binary: true }, ignoreError),
      close() {
        if (socket.readyState !== WebSocket.OPEN) return socket.terminate();
        socket.close(1000);
        const cancel = clock.after(GOODBYE_TIMEOUT, () => socket.terminate());
        socket.once("close", cancel);
      },
      destroy: () => socket.terminate(),
    };
  };
}

/** What a failed connection says; a name that has several addresses fails for each, and only the codes tell. */
export function errorText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const inner = error.cause instanceof Error ? error.cause : error;
  return inner.message !== "" ? inner.message : "code" in inner ? String(inner.code) : inner.name;
}

/** An error is followed by a close: whichever comes first tells. */
function endOnce(events: TransportEvents): (end: TransportEnd) => void {
  let ended = false;
  return (end) => {
    if (ended) return;
    ended = true;
    events.ended(end);
  };
}

/** A frame that cannot be sent is followed by the connection's end. */
function ignoreError(): void {}

/** The same memory as a plain Uint8Array: a Buffer's `slice` shares memory where a Uint8Array's copies. */
function bytesOf(data: RawData): Uint8Array {
  const buffer = Array.isArray(data) ? Buffer.concat(data) : data instanceof ArrayBuffer ? Buffer.from(data) : data;
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}

/** As much of the body as comes in time. */
function readBody(response: IncomingMessage, clock: Clock, done: (body: string) => void): void {
  const chunks: Buffer[] = [];
  let length = 0;
  let finished = false;
  const finish = () => {
    if (finished) return;
    finished = true;
    cancel();
    response.destroy();
    done(Buffer.concat(chunks).toString("utf8"));
  };
  const cancel = clock.after(HANDSHAKE_TIMEOUT, finish);
  response.on("data", (chunk: Buffer) => {
    length += chunk.length;
    if (length > LARGEST_ANSWER) return finish();
    chunks.push(chunk);
  });
  response.on("end", finish);
  response.on("error", finish);
  response.on("close", finish);
}
