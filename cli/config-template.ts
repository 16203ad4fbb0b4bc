import { stringify } from "yaml";
import { configDocument, type RunConfig, runConfigJsonSchema } from "../simulations/experiments/config.ts";
import { schemaAt, schemaProperties } from "../simulations/experiments/config-schema.ts";

/** The schema's file, beside the configuration, where editors look for it. */
export const SCHEMA_FILE = "murmur.schema.json";

/** A configuration file that says of each value what it is: what `murmur init` writes. */
export function commentedConfiguration(config: RunConfig): string {
  const schema = runConfigJsonSchema();
  const document = configDocument(config) as Record<string, unknown>;
  const lines = [
    `# yaml-language-server: $schema=./${SCHEMA_FILE}`,
    "# A federated run. `murmur run config.yaml` runs it; `murmur config check config.yaml` checks it.",
    "# What is left out has its default; a line that begins with # is off.",
    "",
  ];
  for (const section of schemaProperties(schema, [], document)) {
    const value = document[section];
    const description = schemaAt(schema, [section])?.description ?? "";
    if (value === undefined) {
      lines.push("", `# ${section}: …  # ${description}`);
      continue;
    }
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      if (lines.at(-1)?.startsWith("  ")) lines.push("");
      lines.push(`${section}: ${inline(value)}  # ${description}`);
      continue;
    }
    lines.push("", `${section}: # ${description}`);
    const given = value as Record<string, unknown>;
    const keys = schemaProperties(schema, [section], document);
    const shown = keys.map((key) => [key, given[key]] as const);
    const texts = shown.map(([key, inner]) => (inner === undefined ? `  # ${key}: …` : `  ${key}: ${inline(inner)}`));
    const width = Math.min(40, Math.max(...texts.map((text) => text.length)));
    shown.forEach(([key], i) => {
      lines.push(`${texts[i].padEnd(width)}  # ${schemaAt(schema, [section, key])?.description ?? ""}`);
    });
  }
  return `${lines.join("\n")}\n`;
}

function inline(value: unknown): string {
  return stringify(value, { collectionStyle: "flow", lineWidth: 0 }).trim();
}
