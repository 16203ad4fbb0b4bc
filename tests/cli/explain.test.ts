import { type AddressInfo, createServer } from "node:net";
import { describe, expect, it } from "vitest";
import { GLOSSARY, SYNONYMS } from "../../cli/glossary.ts";
import { filesSuffice, portIsFree } from "../../cli/health-checks.ts";
import { ERROR_CATALOGUE } from "../../shared/protocol/error-catalogue.ts";
import { ABANDON_REASONS, ABORT_CODES, DROP_REASONS, REFUSALS, STAGES } from "../../shared/protocol/reasons.ts";
import { murmur } from "./memory-edge.ts";

describe("explain", () => {
  it.each([
    ...Object.keys(ERROR_CATALOGUE),
    ...DROP_REASONS,
    ...ABANDON_REASONS,
    ...Object.keys(ABORT_CODES),
    ...Object.keys(REFUSALS),
    "left",
    "paced",
    ...STAGES,
    ...Object.keys(GLOSSARY),
    ...Object.keys(SYNONYMS),
    ..."0 1 2 3 4 5 6 7 99 130 143".split(" "),
  ])("knows %s", async (term) => {
    const { exitCode, stdout } = await murmur(["explain", term]);
    expect(exitCode).toBe(0);
    expect(stdout.length).toBeGreaterThan(term.length + 20);
  });

  it("knows every exit code that an error ends with", async () => {
    for (const { exitCode } of Object.values(ERROR_CATALOGUE)) {
      expect((await murmur(["explain", String(exitCode)])).exitCode).toBe(0);
    }
  });

  it("does not mind case, spaces and dashes", async () => {
    const { stdout } = await murmur(["explain", "secure", "aggregation"]);
    expect((await murmur(["explain", "Secure-Aggregation"])).stdout).toBe(stdout);
  });

  it("gives every meaning of a word that has several", async () => {
    const { stdout } = await murmur(["explain", "bad-signature"]);
    expect(stdout).toContain("(drop reason)");
    expect(stdout).toContain("(abort code)");
    expect(stdout).toContain("(refusal)");
    expect(JSON.parse((await murmur(["explain", "bad-signature", "--format", "json"])).stdout)).toHaveLength(3);
  });

  it("suggests what was probably meant", async () => {
    const { exitCode, stderr } = await murmur(["explain", "epsillon"]);
    expect(exitCode).toBe(2);
    expect(stderr).toContain('Did you mean "epsilon"?');
  });

  it("explains a word in at most twenty others", () => {
    for (const text of Object.values(GLOSSARY)) expect(text.split(/\s+/).length).toBeLessThanOrEqual(20);
  });
});

describe("doctor", () => {
  it("finds this machine ready, as text and as data", async () => {
    const { exitCode, stdout } = await murmur(["doctor", "--format", "json"]);
    expect(exitCode).toBe(0);
    const { ok, checks } = JSON.parse(stdout);
    expect(ok).toBe(true);
    expect(checks.map(({ name }: { name: string }) => name)).toEqual(
      expect.arrayContaining([
        "node",
        "cryptography",
        "engine onnx",
        "mnist",
        "sqlite",
        "runs folder",
        "disk",
        "open files",
      ]),
    );
    const text = (await murmur(["doctor"])).stdout;
    expect(text).toContain("✓ cryptography");
    expect(text).toMatch(/^✓ addresses +\S/m);
  });

  it("tells whether a coordinator could listen, and for how many devices there are files", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    expect(await portIsFree(port)).toMatchObject({ ok: false, detail: expect.stringContaining("another program") });
    await new Promise((resolve) => server.close(resolve));
    expect(await portIsFree(port)).toMatchObject({ ok: true });
    expect(await portIsFree(port)).toMatchObject({ ok: true });

    expect(filesSuffice(4095, 12_000)).toMatchObject({ ok: false, detail: expect.stringContaining("4,095 at once") });
    expect(filesSuffice(4096, 12_000).ok).toBe(true);
    expect(filesSuffice("unlimited", 12_000).ok).toBe(true);
    expect(filesSuffice(undefined, 12_000).ok).toBe(true);
  });

  it("exits 4, with a remedy, when something needed is missing", async () => {
    const { exitCode, stdout } = await murmur(["doctor", "--out", "/proc/nowhere"]);
    expect(exitCode).toBe(4);
    expect(stdout).toContain("✗ runs folder");
    expect(stdout).toContain("--out");
    expect(stdout).toContain("something needed is missing");
  });
});
