import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { murmur, temporaryFolder } from "./memory-edge.ts";

const ON_BLOBS = ["--set", "task.dataset=blobs", "--set", "fleet.devices=40"];
/** The quickest that there is. */
const LABEL = ["attack", "label", ...ON_BLOBS, "--devices", "10"];

describe("murmur attack", () => {
  it("says what happened, on what, and writes the pictures and the figures", async () => {
    const cwd = temporaryFolder();
    const { exitCode, stdout, stderr } = await murmur(LABEL, { cwd });
    expect([exitCode, stderr]).toEqual([0, ""]);
    expect(stdout).toContain("label  the initial 2nn on blobs");
    expect(stdout).toContain("runs/attack-label/attack.html");
    const folder = join(cwd, "runs", "attack-label");
    expect(readdirSync(folder).sort()).toEqual(["attack.html", "attack.json"]);
    const { figures } = JSON.parse(readFileSync(join(folder, "attack.json"), "utf8"));
    // A device alone is read, and a sum says of none of its devices what it has.
    expect(figures.single).toBeLessThan(0.1);
    expect(figures.cohort).toBeLessThan(0.1);
    expect(figures.cohort_as_guess).toBeGreaterThan(0.5);
    expect(readFileSync(join(folder, "attack.html"), "utf8")).toContain("<h1>Attack: label</h1>");
  });

  it("comes to the same figures for the same seed, and to the same as data", async () => {
    const cwd = temporaryFolder();
    const figuresOf = async (...args: string[]) => {
      const { stdout } = await murmur([...LABEL, "--format", "json", ...args], { cwd });
      const { figures, folder, ok } = JSON.parse(stdout);
      return { figures, folder, ok };
    };
    const first = await figuresOf();
    expect(first).toMatchObject({ ok: true, folder: "runs/attack-label" });
    expect(await figuresOf()).toEqual(first);
    expect((await figuresOf("--seed", "9")).figures).not.toEqual(first.figures);
  });

  it("writes into the folder of --out, and says where it cannot", async () => {
    const cwd = temporaryFolder();
    expect((await murmur([...LABEL, "--out", "here/it"], { cwd })).exitCode).toBe(0);
    expect(readdirSync(join(cwd, "here/it")).sort()).toEqual(["attack.html", "attack.json"]);
    expect(existsSync(join(cwd, "runs"))).toBe(false);
    writeFileSync(join(cwd, "file"), "");
    const { exitCode, stderr } = await murmur([...LABEL, "--out", "file"], { cwd });
    expect([exitCode, stderr]).toEqual([4, expect.stringContaining("Choose another folder with --out")]);
  });

  it("does and writes nothing with --dry-run", async () => {
    const cwd = temporaryFolder();
    const { exitCode, stdout } = await murmur([...LABEL, "--dry-run"], { cwd });
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(
      /^reads from the last layer's biases .*: the initial 2nn on blobs, into runs\/attack-label$/m,
    );
    expect(readdirSync(cwd)).toEqual([]);
  });

  it("knows its attacks by name, and guesses what was meant", async () => {
    const { exitCode, stderr } = await murmur(["attack", "invrt"]);
    expect(exitCode).toBe(2);
    expect(stderr).toContain('There is no attack "invrt".');
    expect(stderr).toContain("Did you mean invert?");
    const far = await murmur(["attack", "xyzzy"]);
    expect(far.stderr).toMatch(/There are invert, imprint, label, member/);
    expect(far.stderr).not.toContain("Did you mean");
  });

  it("says what a model has to have that it reads", async () => {
    const { exitCode, stderr } = await murmur(["attack", "invert", "--set", "task.model=cnn"], {
      cwd: temporaryFolder(),
    });
    expect(exitCode).toBeGreaterThan(0);
    expect(stderr).toContain("does not begin with a dense layer and its bias, which the attack reads");
    expect(stderr).toContain("Attack a model with dense layers, such as 2nn or softmax.");
  });

  it.each([
    [["--devices", "0"], "--devices"],
    [["--devices", "many"], "--devices"],
    [["--noise", "-1"], '--noise wants a number above 0, in clip norms; got "-1".'],
    [["--noise", ""], "--noise wants a number above 0"],
    [["--noise", "Infinity"], "--noise wants a number above 0"],
  ])("refuses %j", async (args, message) => {
    const { exitCode, stderr } = await murmur(["attack", "label", ...ON_BLOBS, ...args], { cwd: temporaryFolder() });
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining(message)]);
  });

  it("says that there is no such run", async () => {
    const { exitCode, stderr } = await murmur(["attack", "label", "7f3a"], { cwd: temporaryFolder() });
    expect(exitCode).toBeGreaterThan(0);
    expect(stderr).toContain("7f3a");
  });
});
