import { describe, expect, it } from "vitest";
import { murmur } from "./memory-edge.ts";

describe("a command line that is not understood", () => {
  it("suggests the command that was meant and exits 2", async () => {
    const { exitCode, stdout, stderr } = await murmur(["rnu"]);
    expect(exitCode).toBe(2);
    expect(stdout).toBe("");
    expect(stderr).toContain("error: Unknown command 'rnu'.");
    expect(stderr).toContain("Did you mean run?");
    expect(stderr).toContain("murmur explain usage");
  });

  it("suggests the flag that was meant", async () => {
    const { exitCode, stderr } = await murmur(["list", "--formatt", "json"]);
    expect(exitCode).toBe(2);
    expect(stderr).toContain("Did you mean --format?");
  });

  it.each([
    ["show", []],
    ["compare", ["one"]],
    ["authority", ["certify", "keys"]],
    ["list", ["--format", "yaml"]],
    ["config", []],
    ["token", []],
    ["token", ["revoke"]],
    ["token", ["create", "enrol"]],
    ["device", ["revoke"]],
    ["stop", ["7f3a"]],
    ["stop", ["--later"]],
  ])("exits 2 for %s %j", async (command, args) => {
    expect((await murmur([command, ...args])).exitCode).toBe(2);
  });

  it("speaks JSON, on standard output, when it is asked to", async () => {
    for (const format of [["--format", "json"], ["--format=json"]]) {
      const { exitCode, stdout, stderr } = await murmur([...format, "rnu"]);
      expect(exitCode).toBe(2);
      expect(stderr).toBe("");
      expect(JSON.parse(stdout)).toMatchObject({ ok: false, code: 2, name: "usage", docs: "murmur explain usage" });
    }
    const { stdout } = await murmur(["rnu"], { env: { MURMUR_FORMAT: "json" } });
    expect(JSON.parse(stdout).ok).toBe(false);
  });
});

describe("help and version", () => {
  it("prints help on standard output and succeeds", async () => {
    for (const args of [[], ["--help"], ["-h"], ["help"]]) {
      const { exitCode, stdout, stderr } = await murmur(args);
      expect(exitCode).toBe(0);
      expect(stderr).toBe("");
      for (const name of [
        "init",
        "run",
        "list",
        "show",
        "compare",
        "verify",
        "rm",
        "serve",
        "join",
        "device",
        "token",
        "stop",
        "config",
        "authority",
        "secagg",
        "explain",
        "doctor",
      ]) {
        expect(stdout).toMatch(new RegExp(`^  ${name}\\b`, "m"));
      }
    }
  });

  it("shows the global flags with every command's own", async () => {
    const { exitCode, stdout } = await murmur(["config", "print", "--help"]);
    expect(exitCode).toBe(0);
    expect(stdout).toContain("--origin");
    expect(stdout).toContain("--set <path=value>");
  });

  it("prints the version", async () => {
    const { exitCode, stdout } = await murmur(["-V"]);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});
