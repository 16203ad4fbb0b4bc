import type { RunStatus } from "./events.ts";

/** A JSON object whose shape its writer knows. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** Where a run's devices are. */
export type Transport = "in-process" | "sockets";

/** Where the devices of a recorded run were. */
export function transportOf({ stamp }: RunMeta): Transport {
  return stamp.transport === "sockets" ? "sockets" : "in-process";
}

/** What is kept of a run as a whole, as JSON. */
export interface RunMeta {
  readonly run: string;
  readonly status: RunStatus;
  /** The resolved configuration, as its document. */
  readonly config: JsonObject;
  /** SHA-256 of the configuration's canonical JSON, hexadecimal. */
  readonly configHash: string;
  /** With what it was computed: versions, machine, dataset, engine (`run.json`). */
  readonly stamp: JsonObject;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  readonly endedAt?: number;
  /** The figures it ended with. */
  readonly result?: JsonObject;
}
