import type { RunStore } from "../../server/store/run-store.ts";
import type { EventPayloads, EventType, RunEvent } from "../../shared/protocol/events.ts";

/** Numbers events, hands them to the views at once, and keeps them until they are stored. */
export interface EventRecorder {
  emit<T extends EventType>(type: T, payload: EventPayloads[T], round?: number): void;
  /** Stores what has piled up. */
  flush(): void;
  /** What has piled up, to be stored with a round's transaction. */
  take(): RunEvent[];
}

export function createEventRecorder(
  store: Pick<RunStore, "nextSequence" | "appendEvents">,
  run: string,
  clock: () => number,
  onEvent: (event: RunEvent) => void,
): EventRecorder {
  let sequence = store.nextSequence();
  let pending: RunEvent[] = [];

  function take(): RunEvent[] {
    const events = pending;
    pending = [];
    return events;
  }

  return {
    emit(type, payload, round) {
      const envelope = {
        v: 1,
        seq: sequence++,
        t: clock(),
        run,
        ...(round === undefined ? {} : { round }),
        type,
        p: payload,
      };
      // The payload's type goes with the event's by the signature above.
      const event = envelope as unknown as RunEvent;
      pending.push(event);
      onEvent(event);
    },
    flush() {
      // What cannot be stored now is still to be stored.
      store.appendEvents(pending);
      pending = [];
    },
    take,
  };
}
