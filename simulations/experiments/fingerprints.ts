import { createHash } from "node:crypto";
import { type ParameterVector, parameterBytes } from "../../shared/learning/parameters.ts";
import { configDocument, type RunConfig } from "./config.ts";

/**
 * SHA-256 of the configuration's canonical JSON: keys in order. Under which address it is served is not part of the
 * experiment.
 */
export function configHash(config: RunConfig): string {
  const { serve: _, ...experiment } = configDocument(config);
  return createHash("sha256").update(canonicalJson(experiment)).digest("hex");
}

function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  const fields = Object.entries(value).filter(([, field]) => field !== undefined);
  fields.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${fields.map(([key, field]) => `${JSON.stringify(key)}:${canonicalJson(field)}`).join(",")}}`;
}

/** SHA-256 of the parameters' little-endian bytes, hexadecimal. */
export function modelHash(parameters: ParameterVector): string {
  return createHash("sha256").update(parameterBytes(parameters)).digest("hex");
}
