import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { murmur } from "../cli/memory-edge.ts";

const DOCS = fileURLToPath(new URL("../../docs", import.meta.url));

interface Page {
  /** Whole files, by name: blocks whose first line is ```language name. */
  readonly files: ReadonlyMap<string, string>;
  /** Lines of shell blocks that call the command. */
  readonly commands: readonly string[];
}

function readPage(name: string): Page {
  const files = new Map<string, string>();
  const commands: string[] = [];
  for (const [, info, text] of readFileSync(join(DOCS, name), "utf8").matchAll(/^```(.*)\n([\s\S]*?)^```$/gm)) {
    const [language, file] = info.split(" ");
    if (file !== undefined) files.set(file, text);
    else if (language === "sh") commands.push(...text.split("\n").filter((line) => line.startsWith("murmur ")));
  }
  return { files, commands };
}

/** Words of a shell line, where double quotes keep spaces. */
function words(line: string): string[] {
  return [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare);
}

describe.each(["your-own.md", "datasets.md"])("docs/%s", (name) => {
  const { files, commands } = readPage(name);
  let cwd: string;
  beforeAll(() => {
    cwd = mkdtempSync(join(tmpdir(), "murmur-docs-"));
    for (const [file, text] of files) writeFileSync(join(cwd, file), text);
  });
  afterAll(() => rmSync(cwd, { recursive: true, force: true }));

  it("names files that it shows, and commands that use them", () => {
    const used = commands.join(" ");
    for (const file of files.keys()) {
      const shown = file.endsWith(".yaml") ? used : [...files.values()].join("\n");
      expect(shown).toContain(file);
    }
    expect(commands.length).toBeGreaterThan(1);
  });

  it.each(commands)("%s", async (command) => {
    const [, ...args] = words(command);
    const { exitCode, stdout, stderr } = await murmur(args, { cwd });
    expect({ exitCode, stderr: stderr.includes("error") ? stderr : "" }).toEqual({ exitCode: 0, stderr: "" });
    expect(stdout).not.toBe("");
  });
});

describe("the plot in docs/datasets.md", () => {
  it("is what the command beside it draws", async () => {
    const cwd = mkdtempSync(join(tmpdir(), "murmur-docs-"));
    try {
      const command = readPage("datasets.md").commands.find((line) => line.includes("--svg"));
      const [, ...args] = words(command ?? "");
      await murmur(args, { cwd });
      expect(readFileSync(join(cwd, "who-holds-what.svg"), "utf8")).toBe(
        readFileSync(join(DOCS, "who-holds-what.svg"), "utf8"),
      );
    } finally {
      rmSync(cwd, { recursive: true, force: true });
    }
  });
});
