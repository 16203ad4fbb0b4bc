import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

export interface MemorySample {
  /** Bytes of the JavaScript heap and of the buffers outside of it, after a full collection. */
  readonly live: number;
}

/** Collects all garbage, and tells what is left. */
export function liveMemory(): MemorySample {
  collectGarbage();
  // What finalisers let go of is only free after another.
  collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return { live: heapUsed + arrayBuffers };
}

/** The most that the process has had in memory, in bytes. */
export function peakResidentBytes(): number {
  return process.resourceUsage().maxRSS * 1024;
}

setFlagsFromString("--expose-gc");
const collectGarbage: () => void = runInNewContext("gc");
