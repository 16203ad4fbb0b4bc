import type { FastifyPluginAsyncZod } from "@fastify/type-provider-zod";
import { z } from "zod";
import { fromHex } from "../../shared/crypto/bytes.ts";
import { MOST_ENROLLED_AT_ONCE } from "../../shared/protocol/connection-messages.ts";
import { MurmurError } from "../../shared/protocol/errors.ts";
import { CERTIFICATE_BYTES } from "../../shared/secagg/certificates.ts";
import { errorResponses } from "./errors.ts";
import { PROTECTION_LEVELS, type Services } from "./services.ts";

/** A thousand devices with certificates, and slack for white space. */
const BODY_LIMIT = 1 << 19;

/** `bytes` bytes as hexadecimal. */
export function hexSchema(bytes: number) {
  return z.string().regex(new RegExp(`^[0-9a-fA-F]{${2 * bytes}}$`), `is not ${bytes} bytes in hexadecimal`);
}

const bodySchema = z.strictObject({
  token: z.string().max(256).default("").describe("a join token"),
  audience: z.string().min(1).max(255).describe("the host and port that the devices dial: `127.0.0.1:8080`"),
  devices: z
    .array(
      z.strictObject({
        publicKey: hexSchema(32).describe("Ed25519"),
        certificate: hexSchema(CERTIFICATE_BYTES).optional().describe("of the authority, at active-server"),
        signature: hexSchema(64).describe("by the key, over audience, key and token"),
      }),
    )
    .min(1)
    .max(MOST_ENROLLED_AT_ONCE),
});

const enrolledSchema = z.object({
  population: z.string(),
  level: z.enum(PROTECTION_LEVELS),
  enrolled: z.int().describe("devices that were added"),
  already: z.int().describe("devices that were there"),
});

/** Devices become known by their keys. */
export function enrolmentRoutes(
  services: Pick<Services, "registry" | "names" | "population" | "level">,
): FastifyPluginAsyncZod {
  const { registry, names, population, level } = services;
  return async (app) => {
    app.post(
      "/v1/enrol",
      {
        bodyLimit: BODY_LIMIT,
        schema: {
          summary: "Enrol devices with a join token: all of them, or none",
          body: bodySchema,
          response: { 201: enrolledSchema, ...errorResponses },
        },
      },
      async (request, reply) => {
        const { token, audience, devices } = request.body;
        if (!names.accepts(audience)) {
          throw new MurmurError("origin-refused", "The audience that was dialled is not a name of this coordinator.");
        }
        const { enrolled, already } = await registry.enrol({
          token,
          audience,
          devices: devices.map(({ publicKey, certificate, signature }) => ({
            idPk: fromHex(publicKey),
            certificate: fromHex(certificate ?? ""),
            signature: fromHex(signature),
          })),
        });
        request.log.info({ enrolled, already }, "devices enrolled");
        return reply.code(201).send({ population, level, enrolled, already });
      },
    );
  };
}
