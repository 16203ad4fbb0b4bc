import { existsSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { flagValue, imageEnvironment, ROOT, readComposeFile, readDockerfile, readText } from "./deployment-files.ts";

const stages = readDockerfile();
const image = stages.at(-1) ?? [];
const { coordinator, fleet } = readComposeFile().services;
const only = (name: string) => image.filter((instruction) => instruction.name === name).map(({ rest }) => rest);

describe("Dockerfile", () => {
  it("is Debian's Node in every stage: the engine has no build for musl", () => {
    const bases = stages.map(([from]) => from.rest.split(" ")[0]);
    expect(bases).toEqual(["node:24-bookworm-slim", "node:24-bookworm-slim"]);
    expect(JSON.stringify(stages)).not.toMatch(/alpine|musl|\bapk\b/);
  });

  it("runs the command that package.json installs, without a shell, as the user that compose names", () => {
    const { bin } = JSON.parse(readText("package.json")) as { bin: { murmur: string } };
    expect(only("ENTRYPOINT")).toEqual([JSON.stringify(["node", `/app/${bin.murmur}`]).replace(",", ", ")]);
    expect(only("USER")).toEqual(["10001:10001"]);
    expect([coordinator.user, fleet.user]).toEqual(["10001:10001", "10001:10001"]);
    const order = image.map(({ name }) => name);
    expect(order.lastIndexOf("RUN")).toBeLessThan(order.indexOf("USER"));
  });

  it("makes the folders that volumes are mounted on that user's, so that the volumes are", () => {
    const install = only("RUN").find((command) => command.includes("install --directory")) ?? "";
    expect(install).toMatch(/--owner=10001 --group=10001 --mode=0700/);
    expect(install.split(" ")).toEqual(
      expect.arrayContaining([imageEnvironment().get("MURMUR_OUT"), flagValue(fleet.command, "data")]),
    );
  });

  it("keeps what it is built with, and who built it, out of the image", () => {
    const copied = image.filter(({ name }) => name === "COPY" || name === "ADD").map(({ rest }) => rest);
    expect(copied).toEqual([
      "package.json package-lock.json LICENSE ./",
      "--from=build /app/node_modules ./node_modules",
      "--from=build /app/dist ./dist",
    ]);
    const build = stages[0].filter(({ name }) => name === "RUN").at(-1)?.rest ?? "";
    // Without --ignore-scripts, npm would run `prepare` and miss the compiler that it has just removed.
    expect(build).toMatch(/npm run build && npm prune --omit=dev --ignore-scripts /);
  });

  it("lets the engine report nothing to its maker", () => {
    expect(imageEnvironment().get("ORT_DISABLE_TELEMETRY")).toBe("1");
  });

  it("builds without BuildKit, which Debian's docker comes without", () => {
    expect(readText("Dockerfile")).not.toMatch(/^# *syntax=|--mount=|--chmod=|--link\b|<<[A-Z]/m);
  });
});

describe(".dockerignore", () => {
  const [first, ...exceptions] = readText(".dockerignore")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"));

  it("lets nothing in that it does not name: no history, runs, keys or tokens", () => {
    expect(first).toBe("*");
    for (const line of exceptions) expect(line).toMatch(/^!\.?[a-zA-Z][a-zA-Z.-]*$/);
    const named = exceptions.map((line) => line.slice(1));
    for (const name of named) expect(existsSync(`${ROOT}${name}`), name).toBe(true);
    for (const kept of [".git", ".env", "runs", "examples", "node_modules", "dist"]) expect(named).not.toContain(kept);
  });

  it("lets in all that the build compiles, but for the benchmarks", () => {
    const { include } = JSON.parse(readText("tsconfig.build.json")) as { include: string[] };
    const needed = include.filter((path) => !path.startsWith("tests/"));
    expect(exceptions).toEqual(expect.arrayContaining(needed.map((path) => `!${path}`)));
  });
});
