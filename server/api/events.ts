import type { FastifyPluginAsyncZod } from "@fastify/type-provider-zod";
import { WebSocketServer } from "ws";
import { z } from "zod";
import { MurmurError } from "../../shared/protocol/errors.ts";
import type { Clock } from "../../shared/time/clock.ts";
import { errorResponses } from "./errors.ts";
import type { EventReader, EventReaders } from "./event-readers.ts";
import { refuseUpgrade, type UpgradeHandler } from "./upgrades.ts";

export const EVENT_STREAM_PATH = "/v1/events/stream";

const sequence = z.coerce.number().int().nonnegative();

/** The run's events as server-sent events, for `curl` and for pages. */
export function eventRoutes(readers: EventReaders): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      "/v1/events",
      {
        exposeHeadRoute: false,
        schema: {
          summary: "The run's events, as they happen",
          description:
            "Server-sent events: `id` is the sequence number, `data` the event. Last-Event-ID goes before `since`. " +
            `A WebSocket at ${EVENT_STREAM_PATH}?since=N gets the same events, a text frame each.`,
          produces: ["text/event-stream"],
          querystring: z.object({ since: sequence.default(0).describe("events after this sequence number") }),
          response: { 200: z.unknown().meta({ type: "string" }).describe("the stream"), ...errorResponses },
        },
      },
      async (request, reply) => {
        const since = lastEventId(request.headers["last-event-id"]) ?? request.query.since;
        readers.requirePlace();
        reply.hijack();
        const { raw } = reply;
        raw.on("error", ignore);
        raw.writeHead(200, {
          ...Object.fromEntries(Object.entries(reply.getHeaders()).filter(([, value]) => value !== undefined)),
          "content-type": "text/event-stream; charset=utf-8",
          // nginx would gather events before it passes them on.
          "x-accel-buffering": "no",
        });
        raw.write("retry: 2000\n\n");
        const reader = readers.follow(since, {
          write: (event) => raw.write(`id: ${event.seq}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`),
          heartbeat() {
            if (!raw.writableNeedDrain) raw.write(":\n\n");
            return true;
          },
          end: () => void raw.end(),
          terminate: () => void raw.destroy(),
        });
        raw.on("drain", reader.drained);
        raw.on("close", reader.left);
      },
    );
  };
}

/** Bytes that wait in a connection before no more are written, and below which more are. */
const FULL = 1 << 16;
const DRAINED = 1 << 14;
/** Milliseconds for the peer to close, too. */
const GOODBYE = 1000;

/** The run's events over a WebSocket, for pages that would rather have them so. It is read only. */
export function eventStream(readers: EventReaders, clock: Clock): UpgradeHandler {
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: 1024,
  });
  server.on("wsClientError", (error, socket) => {
    refuseUpgrade(socket, new MurmurError("request-invalid", `No WebSocket can be opened: ${error.message}.`));
  });

  return {
    path: EVENT_STREAM_PATH,
    accept({ request, socket, head, url }) {
      const since = sequence.safeParse(url.searchParams.get("since") ?? 0);
      if (!since.success) throw new MurmurError("request-invalid", "since: is not a sequence number.");
      readers.requirePlace();
      server.handleUpgrade(request, socket, head, (connection) => {
        connection.on("error", ignore);
        let answered = true;
        const reader: EventReader = readers.follow(since.data, {
          write(event) {
            connection.send(JSON.stringify(event), () => {
              if (connection.bufferedAmount <= DRAINED) reader.drained();
            });
            return connection.bufferedAmount < FULL;
          },
          heartbeat() {
            if (!answered) return false;
            answered = false;
            connection.ping();
            return true;
          },
          end() {
            connection.close(1001, "The coordinator stops.");
            connection.once(
              "close",
              clock.after(GOODBYE, () => connection.terminate()),
            );
          },
          terminate: () => connection.terminate(),
        });
        connection.on("pong", () => {
          answered = true;
        });
        connection.on("message", () => {
          reader.left();
          connection.close(1008, "This stream is read only.");
          connection.once(
            "close",
            clock.after(GOODBYE, () => connection.terminate()),
          );
        });
        connection.on("close", reader.left);
      });
    },
  };
}

/** Undefined for none, and for one that is not a sequence number. */
function lastEventId(header: string | string[] | undefined): number | undefined {
  return typeof header === "string" && /^\d{1,15}$/.test(header) ? Number(header) : undefined;
}

function ignore(): void {}
