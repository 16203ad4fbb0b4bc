import type { RunEvent } from "../../shared/protocol/events.ts";

/** Where events are kept once they are recorded. */
export interface EventHistory {
  /** Sequence number of the last event there is; 0 without any. */
  readonly last: number;
  /** Events after `since`, ascending, at most `limit`. */
  older(since: number, limit: number): RunEvent[];
}

/**
 * A run's events, to be read from any place on. Nothing is queued for a reader: it has a place in the sequence, and one
 * that lags reads what it missed from the store.
 */
export interface EventFeed {
  /** Sequence number of the last event; 0 before the first. */
  readonly last: number;
  /** @throws {Error} when its sequence number is not the next one. */
  append(event: RunEvent): void;
  /** The events that follow `since` without a gap, at most `limit`; none when there is nothing to read yet. */
  after(since: number, limit: number): RunEvent[];
  /** Calls back after each event, until the returned function is called. */
  subscribe(listener: () => void): () => void;
}

/**
 * @param capacity events that are kept in memory. More than are ever waiting to be recorded: before that, they are
 * nowhere else.
 */
export function createEventFeed(history: EventHistory, capacity = 1024): EventFeed {
  let last = history.last;
  // Ascending without gaps, ending at `last`. Trimmed rarely, so that appending costs the same every time.
  let recent: RunEvent[] = [];
  const listeners = new Set<() => void>();

  return {
    get last() {
      return last;
    },
    append(event) {
      if (event.seq !== last + 1) throw new Error(`event ${event.seq} comes where ${last + 1} is due`);
      last = event.seq;
      recent.push(event);
      if (recent.length >= 2 * capacity) recent = recent.slice(-capacity);
      // A copy: a listener may leave, or make another leave.
      for (const listener of [...listeners]) listener();
    },
    after(since, limit) {
      if (since >= last) return [];
      const start = since - (last - recent.length);
      if (start >= 0) return recent.slice(start, start + limit);
      const page = history.older(since, limit);
      return page[0]?.seq === since + 1 ? page : [];
    },
    subscribe(listener) {
      // Wrapped, so that the same function can subscribe twice.
      const entry = (): void => listener();
      listeners.add(entry);
      return () => void listeners.delete(entry);
    },
  };
}
