/** The part of a JSON Schema that the configuration's own schema uses. */
export interface SchemaNode {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly oneOf?: readonly SchemaNode[];
  readonly items?: SchemaNode;
}

/** What a path may hold. */
export interface SchemaEntry {
  readonly type: string;
  readonly description: string;
  readonly default: unknown;
  /** The values it may take, where they are listed. */
  readonly values: readonly string[];
}

/** What may stand at `path`, over all variants of a union; undefined where nothing may. */
export function schemaAt(schema: SchemaNode, path: readonly string[]): SchemaEntry | undefined {
  const nodes = nodesAt(schema, path);
  if (nodes.length === 0) return undefined;
  return {
    type: nodes[0].type ?? (nodes[0].oneOf === undefined ? "string" : "object"),
    description: nodes[0].description ?? "",
    default: nodes[0].default,
    values: nodes.flatMap((node) => node.enum ?? (node.const === undefined ? [] : [node.const])).map(String),
  };
}

/** The keys that may stand under `path`; where variants differ by `kind`, those of the variant that `document` has. */
export function schemaProperties(schema: SchemaNode, path: readonly string[], document?: unknown): string[] {
  let given = document;
  for (const key of path) given = isRecord(given) ? given[key] : undefined;
  const kind = isRecord(given) ? given.kind : undefined;
  const variants = nodesAt(schema, path).flatMap((node) => node.oneOf ?? [node]);
  const matching = variants.filter((variant) => variant.properties?.kind?.const === kind);
  const chosen = kind !== undefined && matching.length > 0 ? matching : variants;
  return [...new Set(chosen.flatMap((variant) => Object.keys(variant.properties ?? {})))];
}

/** Every path that holds a value rather than a section. */
export function schemaLeaves(schema: SchemaNode, path: readonly string[] = []): string[] {
  const keys = schemaProperties(schema, path);
  return keys.length === 0 ? [path.join(".")] : keys.flatMap((key) => schemaLeaves(schema, [...path, key]));
}

function nodesAt(schema: SchemaNode, path: readonly string[]): SchemaNode[] {
  let nodes: SchemaNode[] = [schema];
  for (const key of path) {
    nodes = nodes
      .flatMap((node) => node.oneOf ?? [node])
      .flatMap((node) => {
        if (node.properties !== undefined && Object.hasOwn(node.properties, key)) return [node.properties[key]];
        return node.items !== undefined && /^\d+$/.test(key) ? [node.items] : [];
      });
  }
  return nodes;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
