import type { FastifyPluginAsyncZod } from "@fastify/type-provider-zod";
import { z } from "zod";
import { RUN_STATUSES } from "../../shared/protocol/events.ts";
import { STAGES } from "../../shared/protocol/reasons.ts";
import { errorResponses } from "./errors.ts";
import { PROTECTION_LEVELS, type Services, type StatusView } from "./services.ts";

const count = z.int().nonnegative();

const statusSchema = z
  .object({
    run: z.string(),
    population: z.string(),
    level: z.enum(PROTECTION_LEVELS),
    protocol: count.describe("version of the protocol"),
    status: z.enum(RUN_STATUSES),
    round: count.describe("the round that is under way, or else the last"),
    stage: z.enum(STAGES).nullable().describe("null between rounds"),
    committed: count.describe("rounds committed"),
    rounds: count.describe("rounds that the run is to commit"),
    devices: z.object({ enrolled: count, connected: count, waiting: count, needed: count }),
    model: z.object({ hash: z.string(), bytes: count }).nullable(),
    startedAt: z.string(),
    version: z.string(),
  })
  .meta({ id: "Status" });

/** What the coordinator is doing, in figures that anyone may see. */
export function statusRoutes(services: Pick<Services, "status">): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      "/v1/status",
      { schema: { summary: "What the coordinator is doing", response: { 200: statusSchema, ...errorResponses } } },
      async (): Promise<StatusView> => services.status(),
    );
  };
}
