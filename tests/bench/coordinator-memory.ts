import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { acquireKernelMemory, releaseKernelMemory } from "../../shared/secagg/kernels/memory-pool.ts";
import { availableEngine } from "../../shared/secagg/kernels/ring-kernels.ts";
import { openCoordinator, playStage, type RecordedSession, type SessionEnding, stagesOf } from "./recorded-session.ts";

/**
 * The most bytes outside of the JavaScript heap (array buffers and WebAssembly memories) that the coordinator holds at
 * once beyond what it held when all shares were in, collected before each look. Four uploads arrive at a time, each
 * frame in a buffer of its own as a socket would give it.
 */
export function coordinatorMemory(session: RecordedSession, ending: SessionEnding): number {
  const collect = exposedCollector();
  const emptied = emptyPool(session.agreement.dimension);
  const [keys, shares, mask, ...closing] = stagesOf(session, ending);
  const server = openCoordinator(session);
  playStage(server, keys);
  for (const { device, frames } of shares) for (const frame of frames) server.receive(device, frame);

  const externalBytes = () => {
    collect();
    return process.memoryUsage().external;
  };
  const before = externalBytes();
  let peak = before;
  const look = () => {
    peak = Math.max(peak, externalBytes());
  };

  server.closeStage();
  for (let first = 0; first < mask.length; first += UPLOADS_AT_ONCE) {
    const uploads = mask.slice(first, first + UPLOADS_AT_ONCE);
    for (let chunk = 0; chunk < uploads[0].frames.length; chunk++) {
      for (const { device, frames } of uploads) {
        server.receive(device, frames[chunk].slice());
        look();
      }
    }
  }
  server.closeStage();
  for (const stage of closing) {
    playStage(server, stage);
    look();
  }
  releasePool(emptied);
  return peak - before;
}

/** "At most 4 uploads are read at once": the transport sees to it. */
const UPLOADS_AT_ONCE = 4;

/** Memories that earlier sessions left would be used again without being seen: takes them all out of the pool. */
function emptyPool(dimension: number) {
  const bytes = 4 * dimension + 65_536;
  return Array.from({ length: LARGER_THAN_POOL }, () => acquireKernelMemory(bytes, availableEngine()));
}

function releasePool(memories: ReturnType<typeof emptyPool>): void {
  for (const memory of memories) releaseKernelMemory(memory, 0);
}

const LARGER_THAN_POOL = 33;

function exposedCollector(): () => void {
  setFlagsFromString("--expose-gc");
  return runInNewContext("gc") as () => void;
}
