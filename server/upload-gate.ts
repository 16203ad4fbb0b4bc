import { UPLOADS_AT_ONCE } from "../shared/protocol/chunks.ts";
import type { DeviceId } from "../shared/protocol/ids.ts";

/**
 * Whose upload is read now. At most {@link UPLOADS_AT_ONCE} are, so that memory does not grow with the cohort; the others
 * wait, and a device's time starts when its turn does (`secure-aggregation.md` section 2).
 */
export interface UploadGate {
  /** When the first of those whose turn it is runs out of time; undefined when nobody's is. */
  readonly deadline: number | undefined;
  /** Gives the free turns to devices of `waitingFor`, in its order, and tells who got one. */
  grant(now: number, waitingFor: ReadonlySet<DeviceId>): DeviceId[];
  /** Whose time has run out. */
  overdue(now: number): DeviceId[];
}

/** @param patience milliseconds that an upload may take from its turn on */
export function createUploadGate(patience: number): UploadGate {
  const turns = new Map<DeviceId, number>();
  return {
    get deadline() {
      return turns.size === 0 ? undefined : Math.min(...turns.values());
    },
    grant(now, waitingFor) {
      for (const device of turns.keys()) if (!waitingFor.has(device)) turns.delete(device);
      const granted: DeviceId[] = [];
      for (const device of waitingFor) {
        if (turns.size >= UPLOADS_AT_ONCE) break;
        if (turns.has(device)) continue;
        turns.set(device, now + patience);
        granted.push(device);
      }
      return granted;
    },
    overdue: (now) => [...turns].filter(([, deadline]) => deadline <= now).map(([device]) => device),
  };
}
