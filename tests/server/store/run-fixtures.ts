import { createHash } from "node:crypto";
import type { RoundCommit } from "../../../server/store/run-store.ts";
import { type ParameterVector, parameterBytes } from "../../../shared/learning/parameters.ts";
import type { RunEvent } from "../../../shared/protocol/events.ts";
import type { RoundRecord } from "../../../shared/protocol/round-record.ts";
import type { RunMeta } from "../../../shared/protocol/run-meta.ts";

/** A model that tells which round it is of. */
export function modelOf(round: number, size = 2000): ParameterVector {
  return Float32Array.from({ length: size }, (_, i) => round + i / size);
}

export function hashOf(parameters: ParameterVector): string {
  return createHash("sha256").update(parameterBytes(parameters)).digest("hex");
}

export const meta: RunMeta = {
  run: "7f3a",
  status: "running",
  config: { seed: 42, task: { dataset: "mnist" } },
  configHash: "00",
  stamp: { version: "0.1.0" },
  startedAt: 1_764_000_000_000,
};

export function logEvent(seq: number, text: string, round?: number): RunEvent {
  return {
    v: 1,
    seq,
    t: 1000 + seq,
    run: "7f3a",
    ...(round === undefined ? {} : { round }),
    type: "log",
    p: { level: "info", text },
  };
}

export function recordOf(round: number, outcome: RoundRecord["outcome"] = "committed"): RoundRecord {
  return {
    round,
    outcome,
    ...(outcome === "abandoned" ? { reason: "below-quorum" as const } : { accuracy: 0.5, exact: true }),
    invited: 26,
    survivors: outcome === "abandoned" ? 0 : 24,
    drops: { disconnected: 2 },
    bytesUp: 1000,
    bytesDown: 2000,
    seconds: { train: 1.5 },
    modelHash: hashOf(modelOf(round)),
    at: 1_764_000_000_000 + round,
  };
}

export function commitOf(round: number, events: readonly RunEvent[]): RoundCommit {
  return { round, record: recordOf(round), parameters: modelOf(round), state: Uint8Array.of(round), events };
}
