import { readFileSync } from "node:fs";
import { relative, resolve } from "node:path";
import { type Document, isMap, isNode, isScalar, isSeq, LineCounter, type Node, parseDocument } from "yaml";
import { MurmurError } from "../shared/protocol/errors.ts";

/** A YAML file as a document, and where everything in it was written. */
export interface YamlFile {
  readonly document: Record<string, unknown>;
  /** "config.yaml:7", by path. */
  readonly origins: Map<string, string>;
  /** The folder that relative paths start from: the file's own, else the working directory. */
  readonly base: string;
}

/**
 * Reads a YAML file of keys and values.
 * @throws {MurmurError} config-not-found; config-invalid, with the line and a mark under its column
 */
export function readYamlFile(cwd: string, file: string): YamlFile {
  const path = resolve(cwd, file);
  const name = relative(cwd, path).startsWith("..") ? path : relative(cwd, path);
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    const reason = code === "EISDIR" ? "is a folder" : code === "ENOENT" ? "is not there" : `cannot be read (${code})`;
    throw new MurmurError("config-not-found", `${name} ${reason}.`, { cause: error });
  }
  const lines = new LineCounter();
  const yaml = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  if (yaml.errors.length > 0) {
    const [error] = yaml.errors;
    const { line, col } = lines.linePos(error.pos[0]);
    throw new MurmurError("config-invalid", `${name}:${line}:${col}: ${error.message}\n${frame(text, line, col)}`);
  }
  const document: unknown = yaml.toJS({ maxAliasCount: 100 });
  if (document !== null && document !== undefined && !isRecord(document)) {
    throw new MurmurError(
      "config-invalid",
      `${name}: expected keys and values, got ${JSON.stringify(document).slice(0, 60)}.`,
    );
  }
  return { document: document ?? {}, origins: fileOrigins(yaml, name, lines), base: resolve(path, "..") };
}

/** The line that an error points at, with a mark under its column. */
function frame(text: string, line: number, column: number): string {
  const number = String(line);
  return `  ${number} | ${text.split("\n")[line - 1] ?? ""}\n  ${" ".repeat(number.length)} | ${" ".repeat(column - 1)}^`;
}

function fileOrigins(yaml: Document, name: string, lines: LineCounter): Map<string, string> {
  const origins = new Map<string, string>();
  const visit = (node: Node | null, path: string) => {
    if (isSeq(node)) {
      for (const [i, item] of node.items.entries()) {
        if (!isNode(item)) continue;
        if (item.range) origins.set(`${path}.${i}`, `${name}:${lines.linePos(item.range[0]).line}`);
        visit(item, `${path}.${i}`);
      }
    }
    if (!isMap(node)) return;
    for (const { key, value } of node.items) {
      if (!isScalar(key)) continue;
      const at = path === "" ? String(key.value) : `${path}.${String(key.value)}`;
      if (key.range) origins.set(at, `${name}:${lines.linePos(key.range[0]).line}`);
      visit(isNode(value) ? value : null, at);
    }
  };
  visit(isNode(yaml.contents) ? yaml.contents : null, "");
  return origins;
}

/** The origin of `path`, or of the nearest section around it that was given as a whole. */
export function originOf(origins: ReadonlyMap<string, string>, path: string): string | undefined {
  for (let at = path; at !== ""; at = at.slice(0, Math.max(0, at.lastIndexOf(".")))) {
    const origin = origins.get(at);
    // A section that the file opens says nothing about the values it leaves out.
    if (origin !== undefined && (at === path || !/:\d+$/.test(origin))) return origin;
  }
  return undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
