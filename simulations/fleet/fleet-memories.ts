import { join } from "node:path";
import { type MemoryStore, openMemoryStore } from "../../client/storage/memory-store.ts";

/** What a simulated fleet's devices keep between rounds, in the run's folder: made only where they keep something. */
export const FLEET_MEMORY_FILE = "fleet-memory.db";

const ERRORS = { damaged: "store-corrupt", unavailable: "store-unavailable" } as const;

export function openFleetMemories(folder: string): MemoryStore {
  return openMemoryStore({ path: join(folder, FLEET_MEMORY_FILE), errors: ERRORS });
}

/** For a run that is played again and leaves nothing behind. */
export function passingFleetMemories(): MemoryStore {
  return openMemoryStore({ errors: ERRORS });
}
