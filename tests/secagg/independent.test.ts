import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { cryptoProvider } from "../../shared/crypto/node-provider.ts";
import { goldenSession } from "./golden-session.ts";

// The system's own Python: `python3-cryptography` of the distribution, nothing from a virtual environment.
const PYTHON = "/usr/bin/python3";
const IMPLEMENTATION = fileURLToPath(new URL("suite1.py", import.meta.url));
const GOLDEN = readFileSync(new URL("../vectors/secagg-session.json", import.meta.url), "utf8");

const available = spawnSync(PYTHON, ["-c", "import cryptography"]).status === 0;
const required = process.env.CI === "true";
if (!available && !required) {
  console.warn(`Skipped: the independent implementation of suite 1 needs ${PYTHON} with python3-cryptography.`);
}

interface Outcome {
  readonly checks: number;
  readonly failures: readonly string[];
}

function verify(session: string): Outcome & { readonly status: number | null } {
  // -B leaves no bytecode in the tree; -I would hide the module beside the script.
  const { status, stdout, stderr } = spawnSync(PYTHON, ["-B", IMPLEMENTATION], { input: session, encoding: "utf8" });
  if (stdout === "") throw new Error(`${PYTHON} could not run: ${stderr}`);
  return { status, ...(JSON.parse(stdout) as Outcome) };
}

test.runIf(required)("Python and its cryptography package are there where CI=true", () => {
  expect(available, `install ${PYTHON} and python3-cryptography`).toBe(true);
});

test.runIf(available)("an implementation written from the protocol text alone derives the golden session", () => {
  const { status, checks, failures } = verify(GOLDEN);
  expect(failures).toEqual([]);
  expect(status).toBe(0);
  expect(checks).toBeGreaterThan(450);
});

test.runIf(available)("and a session on the sparse graph with 16-bit lanes, three devices of 70 vanishing", () => {
  const session = goldenSession(cryptoProvider, { size: 70, bits: 16, maxCohort: 128, vanish: [2, 25, 48] });
  const { status, checks, failures } = verify(JSON.stringify(session));
  expect(failures).toEqual([]);
  expect(status).toBe(0);
  expect(checks).toBeGreaterThan(10_000);
});

interface Recorded {
  readonly transcript: { readonly direction: string; readonly frame: string }[];
  readonly result: { readonly sum: number[] };
}

// One byte of one frame of every type: [type, offset of the byte in the frame].
test.runIf(available).each([
  ["the roster binding of ADVERTISE", 16, 24],
  ["a public key in ADVERTISE", 16, 64 + 32 + 4 + 72],
  ["the certificate in ADVERTISE", 16, 64 + 32 + 4 + 20],
  ["an entry of ROSTER", 17, 64 + 300],
  ["a box in SHARES", 18, 64 + 5],
  ["a forwarded box", 19, 64 + 5],
  ["a masked coordinate", 20, 64 + 3],
  ["the sequence number of MASKED", 20, 59],
  ["the bitmap of SURVIVORS", 21, 64],
  ["a confirmation", 22, 64 + 8],
  ["a confirmation that was passed on", 23, 64 + 4 + 2 + 8],
  ["a share in UNMASK", 24, 64 + 1 + 8],
  ["the kind of a share", 24, 64],
  ["the hash in DONE", 26, 64 + 8],
  ["the sender of DONE", 26, 57],
])("it notices one changed bit in %s", (_what, type, offset) => {
  const session = JSON.parse(GOLDEN) as Recorded;
  const at = session.transcript.findIndex(({ frame }) => Number.parseInt(frame.slice(10, 12), 16) === type);
  const bytes = Buffer.from(session.transcript[at].frame, "hex");
  bytes[offset] ^= 1;
  session.transcript[at] = { ...session.transcript[at], frame: bytes.toString("hex") };
  const { status, failures } = verify(JSON.stringify(session));
  expect(status).toBe(1);
  expect(failures).not.toEqual([]);
});

test.runIf(available)("it notices a frame that is missing, and a sum that is off by one", () => {
  const session = JSON.parse(GOLDEN) as Recorded;
  expect(verify(JSON.stringify({ ...session, transcript: session.transcript.slice(0, -1) })).status).toBe(1);
  session.result.sum[0] += 1;
  expect(verify(JSON.stringify(session)).failures.some((failure) => failure.startsWith("sum"))).toBe(true);
});
