import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { WebSocket } from "ws";
import type { EventOf, EventType, RunEvent } from "../../shared/protocol/events.ts";
import { readServeFile, type ServeFile } from "../../simulations/experiments/serve-file.ts";
import { ended, spawnMurmur } from "../cli/built-binary.ts";

/** Processes of the built command, on loopback: one coordinator and those that join it. */
export interface ServedRun {
  readonly process: ChildProcessWithoutNullStreams;
  /** runs/<id> */
  readonly folder: string;
  readonly serving: ServeFile;
  readonly ended: ReturnType<typeof ended>;
  readonly events: EventWatch;
}

const START_MS = 60_000;

/** Starts `murmur serve` in a folder and waits until it listens. `ca`: the certificate to trust, of one that serves TLS. */
export async function serve(cwd: string, args: readonly string[], ca?: string): Promise<ServedRun> {
  const process = spawnMurmur(["serve", ...args, "--format", "json", "-v"], cwd);
  const over = ended(process);
  let exited = false;
  void over.then(() => {
    exited = true;
  });
  const deadline = Date.now() + START_MS;
  for (;;) {
    const found = servedFolder(cwd, process.pid);
    if (found !== undefined)
      return { process, ended: over, ...found, events: await watchEvents(found.serving.url, ca) };
    if (exited) throw new Error(`serve ended: ${(await over).stderr}`);
    if (Date.now() > deadline) throw new Error("serve does not listen");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function servedFolder(cwd: string, pid: number | undefined): Pick<ServedRun, "folder" | "serving"> | undefined {
  const runs = join(cwd, "runs");
  try {
    for (const id of readdirSync(runs)) {
      const serving = readServeFile(join(runs, id));
      if (serving?.pid === pid && serving !== undefined) return { folder: join(runs, id), serving };
    }
  } catch {
    // Not there yet.
  }
  return undefined;
}

/** Starts `murmur join` with keys of its own. */
export function joinDevices(
  cwd: string,
  url: string,
  name: string,
  devices: number,
  args: readonly string[] = [],
  environment: Readonly<Record<string, string>> = {},
) {
  const fixed = ["join", url, "--devices", String(devices), "--data", `devices-${name}`, "--format", "json"];
  const process = spawnMurmur([...fixed, ...args], cwd, environment);
  return { process, ended: ended(process) };
}

/** The events of a run as they happen, over its WebSocket. */
export interface EventWatch {
  readonly all: readonly RunEvent[];
  /** The next event of this type that the test accepts, also one that has come since the last call. */
  next<T extends EventType>(type: T, accept?: (event: EventOf<T>) => boolean, patience?: number): Promise<EventOf<T>>;
  close(): void;
}

const PATIENCE_MS = 60_000;

async function watchEvents(url: string, ca: string | undefined): Promise<EventWatch> {
  const all: RunEvent[] = [];
  const listeners = new Set<() => void>();
  const socket = new WebSocket(`${url.replace("http", "ws")}/v1/events/stream?since=0`, {
    ...(ca === undefined ? {} : { ca: readFileSync(ca) }),
  });
  socket.on("message", (data) => {
    all.push(JSON.parse(String(data)) as RunEvent);
    for (const listener of [...listeners]) listener();
  });
  socket.on("error", () => {});
  await new Promise<void>((resolve, reject) => {
    socket.once("open", () => resolve());
    socket.once("error", reject);
  });
  let seen = 0;
  return {
    all,
    next(type, accept = () => true, patience = PATIENCE_MS) {
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          listeners.delete(look);
          const last = all.slice(-5).map((event) => JSON.stringify(event).slice(0, 200));
          reject(new Error(`no ${type} in ${patience} ms; last: ${last.join("\n")}`));
        }, patience);
        const look = () => {
          while (seen < all.length) {
            const event = all[seen++];
            if (event.type !== type || !accept(event as EventOf<typeof type>)) continue;
            clearTimeout(timer);
            listeners.delete(look);
            resolve(event as EventOf<typeof type>);
            return;
          }
        };
        listeners.add(look);
        look();
      });
    },
    close: () => socket.terminate(),
  };
}
