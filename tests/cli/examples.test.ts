import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { runConfigJsonSchema, runConfigSchema } from "../../simulations/experiments/config.ts";
import { murmur } from "./memory-edge.ts";

const EXAMPLES = fileURLToPath(new URL("../../examples", import.meta.url));
const read = (name: string) => readFileSync(`${EXAMPLES}/${name}`, "utf8");
/** Of runs; those with a grid are benchmarks (tests/simulations/experiments/bench/bench-grid.test.ts). */
const files = readdirSync(EXAMPLES).filter((name) => name.endsWith(".yaml") && !/^grid:/m.test(read(name)));

describe("the examples", () => {
  it.each(files)("%s is valid, and names the schema that lies beside it", async (name) => {
    const { exitCode, stdout } = await murmur(["config", "check", name], { cwd: EXAMPLES });
    expect(stdout).toContain("✓");
    expect(exitCode).toBe(0);
    expect(read(name)).toMatch(/^# yaml-language-server: \$schema=\.\/murmur\.schema\.json\n/);
  });

  it("have the schema that the command prints (murmur config schema > examples/murmur.schema.json)", () => {
    expect(JSON.parse(read("murmur.schema.json"))).toEqual(runConfigJsonSchema());
  });

  it("quickstart.yaml is what a run without a configuration does", () => {
    expect(runConfigSchema.parse(parse(read("quickstart.yaml")))).toEqual(runConfigSchema.parse({}));
  });
});
