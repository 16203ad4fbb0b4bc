import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { toHex } from "../../shared/crypto/bytes.ts";
import { cryptoProvider } from "../../shared/crypto/node-provider.ts";
import { seededRandom } from "../../shared/random/seeded-random.ts";
import { deviceMutants, type Mutant, mutantsOf } from "./mutants.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const SAMPLE = 6;

/** All of them with `npm run test:mutation`; else a few, others whenever a check changes. */
function chosen(mutants: readonly Mutant[]): Mutant[] {
  if (process.env.MUTANTS === "all") return [...mutants];
  const names = new TextEncoder().encode(mutants.map(({ name }) => name).join("\n"));
  return seededRandom(toHex(cryptoProvider.sha256(names)), "mutants")
    .shuffle([...mutants])
    .slice(0, SAMPLE);
}

describe("with any one check of the device taken out, some attack is no longer withstood", { timeout: 240_000 }, () => {
  const mutants = deviceMutants();

  test("every refusal in the device's program is taken out once", () => {
    expect(new Set(mutants.map(({ name }) => name)).size).toBe(mutants.length);
    expect(mutants.length).toBeGreaterThan(60);
  });

  test("nothing taken out: every attack is withstood", async () => {
    expect(await failedTests(undefined)).toBe(0);
  });

  test.concurrent.for(chosen(mutants).map(({ name }) => name))("%s", async (name, { expect: expectHere }) => {
    expectHere(await failedTests(name)).toBeGreaterThan(0);
  });
});

test("a mutant is the program without one condition, or one part of it", () => {
  const source = 'if (a(1) || (b || c)) throw new DeviceAbort("policy", "x");\nif (d) other();\n';
  expect(mutantsOf("f.ts", source).map(({ name, source: text }) => [name, text.split("\n")[0]])).toEqual([
    ["f.ts:1 a(1) || (b || c)", 'if (false && (a(1) || (b || c))) throw new DeviceAbort("policy", "x");'],
    ["f.ts:1 a(1)", 'if ((b || c)) throw new DeviceAbort("policy", "x");'],
    ["f.ts:1 (b || c)", 'if (a(1)) throw new DeviceAbort("policy", "x");'],
  ]);
  expect(mutantsOf("f.ts", 'catch { throw new DeviceAbort("policy", "x"); }')[0].source).toBe(
    'catch { void new DeviceAbort("policy", "x"); }',
  );
});

/** How many of the attacks' tests fail on a mutant. A run that gives no report is an error, not a failed test. */
async function failedTests(mutant: string | undefined): Promise<number> {
  const vitest = join(dirname(createRequire(import.meta.url).resolve("vitest/package.json")), "vitest.mjs");
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("VITEST") && name !== "MUTANTS");
  const env = { ...Object.fromEntries(inherited), ...(mutant === undefined ? {} : { MUTANT: mutant }) };
  const args = [vitest, "run", "--config", "tests/mutation/mutant.config.ts", "--reporter=json"];
  const child = spawn(process.execPath, args, { cwd: ROOT, env, stdio: ["ignore", "pipe", "pipe"] });
  const output: Buffer[] = [];
  const errors: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => output.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => errors.push(chunk));
  await new Promise((resolve) => child.once("close", resolve));
  const text = Buffer.concat(output).toString();
  const report = text.slice(text.indexOf('{"numTotal'));
  if (!report.startsWith("{")) throw new Error(`no report: ${Buffer.concat(errors).toString()}`);
  const { numPassedTests, numFailedTests } = JSON.parse(report) as { numPassedTests: number; numFailedTests: number };
  if (numPassedTests + numFailedTests === 0) throw new Error("no test was run");
  return numFailedTests;
}
