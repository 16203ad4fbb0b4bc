import { join } from "node:path";
import { FLEET_JOURNAL_FILE, openFleetJournal } from "../fleet/fleet-journal.ts";
import { createInProcessFederation } from "./in-process-federation.ts";
import { authorityOf } from "./run-authority.ts";
import type { Federate } from "./run-context.ts";

/** One process plays every device, and keeps their memory of uploads in the run's folder. */
export const federateInProcess: Federate = async ({ config, provider, folder, taskId, clock }) => {
  const journal = openFleetJournal(join(folder, FLEET_JOURNAL_FILE));
  try {
    const authority = authorityOf(config, provider, clock());
    const federation = await createInProcessFederation({ config, provider, taskId, journal, ...authority });
    return {
      ...federation,
      async dispose() {
        await federation.dispose();
        journal.close();
      },
    };
  } catch (error) {
    journal.close();
    throw error;
  }
};
