import type { FastifyPluginAsyncZod } from "@fastify/type-provider-zod";
import type { FastifyRequest } from "fastify";
import { z } from "zod";
import { MurmurError } from "../../shared/protocol/errors.ts";
import type { TokenView } from "../enrolment/tokens.ts";
import type { DeviceRecord } from "../store/enrolment-store.ts";
import { TOKEN_SCOPES } from "../store/enrolment-store.ts";
import { hexSchema } from "./enrolment.ts";
import { errorResponses } from "./errors.ts";
import type { Services } from "./services.ts";

const moment = z.iso.datetime().describe("ISO 8601, UTC");
const tokenId = z.string().regex(/^[0-9a-f]{8}$/, "is not a token's id: 8 hexadecimal digits");
const LONGEST_EXPIRY = 366 * 24 * 3600;
const DEVICES_AT_ONCE = 1000;

const tokenRequest = z.strictObject({
  scope: z.enum(TOKEN_SCOPES),
  count: z.int().min(1).max(1_000_000).default(1).describe("devices that an enrol token enrols"),
  expires: z.int().min(1).max(LONGEST_EXPIRY).describe("seconds from now"),
});
const newToken = z.object({ id: tokenId, token: z.string().describe("told this once"), expiresAt: moment });
const tokenView = z.object({
  id: tokenId,
  scope: z.enum(TOKEN_SCOPES),
  uses: z.int(),
  usesLeft: z.int(),
  createdAt: moment,
  expiresAt: moment,
  revokedAt: moment.nullable(),
});
const deviceView = z.object({
  publicKey: z.string(),
  name: z.string().nullable().describe("on its last connection"),
  token: z.string().describe("id of the token that enrolled it"),
  enrolledAt: moment,
  revokedAt: moment.nullable(),
});

const operators = {
  security: [{ operator: [] }],
  tags: ["operator"],
} as const;

/** What changes the coordinator's state, or tells who its devices are: for the bearer of an operator token. */
export function operatorRoutes(
  services: Pick<Services, "registry" | "devices" | "clock" | "stop">,
): FastifyPluginAsyncZod {
  const { registry, devices, clock, stop } = services;

  function requireOperator({ headers }: FastifyRequest): void {
    const [, token] = /^Bearer[ ]+(\S+)$/i.exec(headers.authorization ?? "") ?? [];
    if (token !== undefined && registry.authorises(token, "operate")) return;
    throw new MurmurError("operator-only", "No operator token of this coordinator came with the request.");
  }

  return async (app) => {
    // After the rate limit, which slows down whoever guesses, and before the body is read.
    app.addHook("preParsing", async (request, _reply, payload) => {
      requireOperator(request);
      return payload;
    });

    app.post(
      "/v1/tokens",
      {
        schema: {
          ...operators,
          summary: "Make a token",
          body: tokenRequest,
          response: { 201: newToken, ...errorResponses },
        },
      },
      async (request, reply) => {
        const { scope, count, expires } = request.body;
        const expiresAt = Math.floor(clock.now()) + expires * 1000;
        const { id, token } = registry.createToken({ scope, count, expiresAt });
        request.log.info({ id, scope, count }, "token made");
        return reply.code(201).send({ id, token, expiresAt: iso(expiresAt) });
      },
    );

    app.get(
      "/v1/tokens",
      {
        schema: {
          ...operators,
          summary: "The tokens, without their secrets",
          response: { 200: z.object({ tokens: z.array(tokenView) }), ...errorResponses },
        },
      },
      async () => ({ tokens: registry.tokens().map(viewOfToken) }),
    );

    app.delete(
      "/v1/tokens/:id",
      {
        schema: {
          ...operators,
          summary: "Revoke a token; devices that it enrolled stay",
          params: z.object({ id: tokenId }),
          response: { 200: z.object({ id: tokenId }), ...errorResponses },
        },
      },
      async (request) => {
        const { id } = request.params;
        if (!registry.revokeToken(id)) throw new MurmurError("no-such-thing", `There is no token ${id}.`);
        request.log.info({ id }, "token revoked");
        return { id };
      },
    );

    app.get(
      "/v1/devices",
      {
        schema: {
          ...operators,
          summary: "The enrolled devices, a page at a time",
          querystring: z.object({ after: z.string().max(64).default("").describe("`next` of the page before") }),
          response: {
            200: z.object({ devices: z.array(deviceView), next: z.string().nullable() }),
            ...errorResponses,
          },
        },
      },
      async (request) => {
        const { after } = request.query;
        const rest = registry.list().filter(({ publicKey }) => publicKey > after);
        const page = rest.slice(0, DEVICES_AT_ONCE).map(viewOfDevice);
        return { devices: page, next: rest.length > page.length ? (page.at(-1)?.publicKey ?? null) : null };
      },
    );

    app.delete(
      "/v1/devices/:publicKey",
      {
        schema: {
          ...operators,
          summary: "Revoke a device's key, for good, and end its connection",
          params: z.object({ publicKey: hexSchema(32) }),
          response: {
            200: z.object({ publicKey: z.string(), disconnected: z.boolean().describe("it was connected") }),
            ...errorResponses,
          },
        },
      },
      async (request) => {
        const publicKey = request.params.publicKey.toLowerCase();
        if (!registry.revoke(publicKey)) throw new MurmurError("no-such-thing", "No device with this key is enrolled.");
        const message = "The operator has revoked the device's key.";
        const disconnected = devices.disconnect(publicKey, "revoked", message);
        request.log.info({ device: publicKey.slice(0, 8), disconnected }, "device revoked");
        return { publicKey, disconnected };
      },
    );

    app.post(
      "/v1/stop",
      {
        schema: {
          ...operators,
          summary: "End the run: after the round that is under way, or now",
          body: z.strictObject({ now: z.boolean().default(false) }).nullish(),
          response: { 202: z.object({ stopping: z.enum(["after-round", "now"]) }), ...errorResponses },
        },
      },
      async (request, reply) => {
        const stopping = request.body?.now === true ? "now" : "after-round";
        request.log.info({ stopping }, "stop");
        stop(stopping);
        return reply.code(202).send({ stopping });
      },
    );
  };
}

function viewOfToken({ id, scope, uses, usesLeft, createdAt, expiresAt, revokedAt }: TokenView) {
  const revoked = revokedAt === undefined ? null : iso(revokedAt);
  return { id, scope, uses, usesLeft, createdAt: iso(createdAt), expiresAt: iso(expiresAt), revokedAt: revoked };
}

function viewOfDevice({ publicKey, lastName, tokenId: token, enrolledAt, revokedAt }: DeviceRecord) {
  const revoked = revokedAt === undefined ? null : iso(revokedAt);
  return { publicKey, name: lastName ?? null, token, enrolledAt: iso(enrolledAt), revokedAt: revoked };
}

function iso(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}
