import { join } from "node:path";
import { FLEET_JOURNAL_FILE, openFleetJournal } from "../fleet/fleet-journal.ts";
import { openFleetMemories } from "../fleet/fleet-memories.ts";
import type { CreatePool } from "../fleet/training/training-pool.ts";
import type { Federation } from "./federation.ts";
import { createInProcessFederation } from "./in-process-federation.ts";
import { FROM_OUTSIDE } from "./round-figures.ts";
import { authorityOf } from "./run-authority.ts";
import type { Federate, FederateContext } from "./run-context.ts";

/**
 * One process plays every device, and keeps what they remember in the run's folder.
 * @param createPool where the devices are trained
 */
export function federateInProcess(createPool: CreatePool): Federate {
  return (context) => federate(context, createPool);
}

async function federate(
  { config, provider, folder, taskId, store, clock, warn }: FederateContext,
  createPool: CreatePool,
): Promise<Federation> {
  const journal = openFleetJournal(join(folder, FLEET_JOURNAL_FILE));
  const memories = openFleetMemories(folder);
  const close = (): void => {
    memories.close();
    journal.close();
  };
  try {
    const authority = authorityOf(config, provider, clock());
    const federation = await createInProcessFederation({
      config,
      provider,
      taskId,
      journal,
      memories,
      createPool,
      warn,
      ...authority,
    });
    const dispose = (): Promise<void> => federation.dispose().finally(close);
    try {
      for (const record of store.rounds()) if (!FROM_OUTSIDE.has(record.reason)) await federation.resume(record);
    } catch (error) {
      await federation.dispose();
      throw error;
    }
    return { ...federation, dispose };
  } catch (error) {
    close();
    throw error;
  }
}
