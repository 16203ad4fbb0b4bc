import swagger from "@fastify/swagger";
import { type FastifyPluginAsyncZod, jsonSchemaTransform, jsonSchemaTransformObject } from "@fastify/type-provider-zod";
import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { errorResponses } from "./errors.ts";

/** Describes the routes that are registered afterwards, from their schemas. */
export function describeRoutes(app: FastifyInstance, version: string): void {
  app.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "Murmuration coordinator",
        description: "Devices take part over a WebSocket at /v1/device (docs/protocol.md); the rest is here.",
        version,
      },
      components: { securitySchemes: { operator: { type: "http", scheme: "bearer" } } },
    },
    transform: jsonSchemaTransform,
    transformObject: jsonSchemaTransformObject,
  });
}

/** The description itself. */
export const openapiRoutes: FastifyPluginAsyncZod = async (app) => {
  app.get(
    "/v1/openapi.json",
    {
      schema: {
        summary: "This description",
        response: { 200: z.record(z.string(), z.unknown()), ...errorResponses },
      },
    },
    async () => ({ ...app.swagger() }),
  );
};
