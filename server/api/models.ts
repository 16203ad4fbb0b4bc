import type { FastifyPluginAsyncZod } from "@fastify/type-provider-zod";
import { z } from "zod";
import { MurmurError } from "../../shared/protocol/errors.ts";
import { matchesTag, parseRange } from "./byte-ranges.ts";
import { errorBody, errorResponses } from "./errors.ts";
import type { Services } from "./services.ts";

const bytesSchema = z.unknown().meta({ type: "string", format: "binary" });

/** Models by their hash: what has a name like that never changes, so it is cached for good, and fetched in pieces. */
export function modelRoutes(services: Pick<Services, "models">): FastifyPluginAsyncZod {
  return async (app) => {
    app.route({
      method: ["GET", "HEAD"],
      url: "/v1/models/:hash",
      // It answers HEAD itself: without a range, and without touching the bytes.
      exposeHeadRoute: false,
      schema: {
        summary: "A model's parameters, little-endian float32",
        description: "Ranges are served; the entity tag is the hash.",
        produces: ["application/octet-stream"],
        params: z.object({ hash: z.string().regex(/^[0-9a-f]{64}$/, "is not a SHA-256 in lower-case hexadecimal") }),
        response: {
          200: bytesSchema.describe("the whole model"),
          206: bytesSchema.describe("the range that was asked for"),
          304: z.null().describe("it is what If-None-Match names"),
          ...errorResponses,
        },
      },
      async handler(request, reply) {
        const { hash } = request.params;
        const model = services.models.get(hash);
        if (model === undefined) throw new MurmurError("no-such-thing", "There is no model with this hash now.");
        const tag = `"${hash}"`;
        reply.header("etag", tag);
        reply.header("cache-control", "public, max-age=31536000, immutable");
        reply.header("accept-ranges", "bytes");
        const { headers } = request;
        if (matchesTag(headers["if-none-match"], tag)) return reply.code(304).send(null);

        reply.type("application/octet-stream");
        if (request.method === "HEAD") return reply.header("content-length", model.byteLength).send(null);
        // A view: a thousand devices that fetch the model share its bytes.
        const bytes = Buffer.from(model.buffer, model.byteOffset, model.byteLength);
        const ifRange = headers["if-range"];
        const wanted = ifRange === undefined || ifRange === tag ? headers.range : undefined;
        const range = parseRange(wanted, bytes.length);
        if (range === "whole") return reply.send(bytes);
        if (range === "unsatisfiable") {
          const error = new MurmurError("request-invalid", `The model has ${bytes.length} bytes: no such range.`);
          reply.header("content-range", `bytes */${bytes.length}`).header("cache-control", "no-store");
          return reply.code(416).type("application/json").send(errorBody(error));
        }
        reply.header("content-range", `bytes ${range.first}-${range.last}/${bytes.length}`);
        return reply.code(206).send(bytes.subarray(range.first, range.last + 1));
      },
    });
  };
}
