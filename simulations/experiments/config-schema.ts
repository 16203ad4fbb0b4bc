/** The part of a JSON Schema that the configuration's own schema uses. */
export interface SchemaNode {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly oneOf?: readonly SchemaNode[];
  readonly anyOf?: readonly SchemaNode[];
  readonly items?: SchemaNode;
}

/** What a path may hold. */
export interface SchemaEntry {
  readonly type: string;
  readonly description: string;
  readonly default: unknown;
  /** The values it may take, where they are listed. */
  readonly values: readonly string[];
  /** What it may be instead of one of them. */
  readonly otherwise: string | undefined;
}

/** What may stand at `path`, over all variants of a union; undefined where nothing may. */
export function schemaAt(schema: SchemaNode, path: readonly string[]): SchemaEntry | undefined {
  const nodes = nodesAt(schema, path);
  if (nodes.length === 0) return undefined;
  return {
    type: typeOf(nodes[0]),
    description: nodes[0].description ?? "",
    default: nodes[0].default,
    values: nodes
      .flatMap(variantsOf)
      .flatMap((node) => node.enum ?? (node.const === undefined ? [] : [node.const]))
      .map(String),
    otherwise: nodes.flatMap(({ anyOf = [] }) => anyOf).find(({ enum: values }) => values === undefined)?.description,
  };
}

/** The keys that may stand under `path`; where variants differ by `kind`, those of the variant that `document` has. */
export function schemaProperties(schema: SchemaNode, path: readonly string[], document?: unknown): string[] {
  let given = document;
  for (const key of path) given = isRecord(given) ? given[key] : undefined;
  const kind = isRecord(given) ? given.kind : undefined;
  const variants = nodesAt(schema, path).flatMap(variantsOf);
  const matching = variants.filter((variant) => variant.properties?.kind?.const === kind);
  const chosen = kind !== undefined && matching.length > 0 ? matching : variants;
  return [...new Set(chosen.flatMap((variant) => Object.keys(variant.properties ?? {})))];
}

/** Every path that holds a value rather than a section. */
export function schemaLeaves(schema: SchemaNode, path: readonly string[] = []): string[] {
  const keys = schemaProperties(schema, path);
  const isLeaf = keys.length === 0 || schemaAt(schema, path)?.type === "value";
  return [...(isLeaf ? [path.join(".")] : []), ...keys.flatMap((key) => schemaLeaves(schema, [...path, key]))];
}

/** "value" for what may be a plain value or a section. */
function typeOf(node: SchemaNode): string {
  if (node.type !== undefined) return node.type;
  if (node.oneOf !== undefined) return "object";
  const types = new Set(variantsOf(node).map(({ type }) => type));
  return types.size > 1 ? "value" : "string";
}

/** The alternatives that a node stands for, itself where it is none. */
function variantsOf(node: SchemaNode): readonly SchemaNode[] {
  const variants = node.oneOf ?? node.anyOf;
  return variants === undefined ? [node] : variants.flatMap(variantsOf);
}

function nodesAt(schema: SchemaNode, path: readonly string[]): SchemaNode[] {
  let nodes: SchemaNode[] = [schema];
  for (const key of path) {
    nodes = nodes.flatMap(variantsOf).flatMap((node) => {
      if (node.properties !== undefined && Object.hasOwn(node.properties, key)) return [node.properties[key]];
      return node.items !== undefined && /^\d+$/.test(key) ? [node.items] : [];
    });
  }
  return nodes;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
