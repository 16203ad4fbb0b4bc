import type { FastifyPluginAsyncZod } from "@fastify/type-provider-zod";
import { z } from "zod";
import { errorResponses } from "./errors.ts";
import type { Services } from "./services.ts";

const healthSchema = z.object({ ok: z.literal(true) });
const readinessSchema = z.object({ ready: z.boolean(), reasons: z.array(z.string()).describe("why it is not") });

/** Whether the process answers, and whether it can serve devices. Asked every few seconds, so not logged. */
export function healthRoutes(services: Pick<Services, "ready">): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      "/healthz",
      {
        logLevel: "warn",
        schema: { summary: "The process answers", response: { 200: healthSchema, ...errorResponses } },
      },
      async () => ({ ok: true as const }),
    );
    app.get(
      "/readyz",
      {
        logLevel: "warn",
        schema: {
          summary: "The coordinator can serve devices",
          response: { 200: readinessSchema, "4xx": errorResponses["4xx"], 503: readinessSchema },
        },
      },
      async (_request, reply) => {
        const reasons = services.ready();
        const ready = reasons.length === 0;
        return reply.code(ready ? 200 : 503).send({ ready, reasons });
      },
    );
  };
}
