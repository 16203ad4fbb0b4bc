import { MurmurError } from "../../shared/protocol/errors.ts";
import type { RunEvent } from "../../shared/protocol/events.ts";
import type { Clock } from "../../shared/time/clock.ts";
import type { EventFeed } from "./event-feed.ts";
import type { Metrics } from "./metrics.ts";

/** One reader's connection. */
export interface EventSink {
  /** @returns false when its buffer is full: then {@link EventReader.drained} says when there is space again. */
  write(event: RunEvent): boolean;
  /**
   * Shows the reader that the connection lives, and finds out whether the reader does.
   * @returns false when it has not answered the last one.
   */
  heartbeat(): boolean;
  /** The coordinator closes. */
  end(): void;
  /** Gives the connection up without a word: nobody reads at its other end. */
  terminate(): void;
}

/** A place in the sequence of events, and the connection that it moves along for. */
export interface EventReader {
  drained(): void;
  /** The connection is gone. */
  left(): void;
}

/** Everyone who follows the events, by whichever way. */
export interface EventReaders {
  /**
   * Sends the events after `since`, those to come included, in order and without a gap.
   * @throws {MurmurError} `coordinator-busy` when there are as many readers as are served.
   */
  follow(since: number, sink: EventSink): EventReader;
  /** @throws {MurmurError} `coordinator-busy` when {@link follow} would. */
  requirePlace(): void;
  /** Ends every reader; later ones are refused. */
  close(): void;
}

export interface EventReadersOptions {
  readonly feed: EventFeed;
  readonly clock: Clock;
  readonly metrics: Pick<Metrics, "eventReaders" | "slowReader">;
  readonly limit?: number;
  /** Milliseconds between two signs of life; a reader that takes nothing for as long is given up. */
  readonly heartbeat?: number;
}

/** Events read at once, before others have their turn. */
const PAGE = 64;

export function createEventReaders(options: EventReadersOptions): EventReaders {
  const { feed, clock, metrics, limit = 100, heartbeat = 15_000 } = options;
  const readers = new Set<() => void>();
  let closed = false;

  function requirePlace(): void {
    if (closed) throw new MurmurError("coordinator-busy", "The coordinator stops.");
    if (readers.size >= limit) {
      throw new MurmurError("coordinator-busy", `${limit} readers of the events are served at once, and are there.`);
    }
  }

  return {
    requirePlace,
    follow(since, sink) {
      requirePlace();
      // A reader may be ahead of a run that lost its last, unsynced events: it gets those that came in their place.
      let cursor = Math.min(since, feed.last);
      let state: "reading" | "full" | "left" = "reading";
      let scheduled = false;
      // Whether anything was taken, or nothing was there to take, since the last heartbeat.
      let alive = true;

      function pump(): void {
        scheduled = false;
        if (state !== "reading") return;
        const page = nextPage();
        if (page === undefined) return;
        for (const event of page) {
          cursor = event.seq;
          alive = true;
          if (!sink.write(event)) {
            state = "full";
            return;
          }
        }
        if (page.length > 0 && cursor < feed.last) schedule();
      }

      /** Undefined where the store cannot be read: that ends the reader, and nobody else. */
      function nextPage(): RunEvent[] | undefined {
        try {
          return feed.after(cursor, PAGE);
        } catch (error) {
          if (!(error instanceof MurmurError)) throw error;
          leave();
          sink.terminate();
          return undefined;
        }
      }

      /** A reader that keeps up must not keep everyone else from their turn. */
      function schedule(): void {
        if (scheduled || state !== "reading") return;
        scheduled = true;
        setImmediate(pump);
      }

      function beat(): void {
        cancel = clock.after(heartbeat, beat);
        const stuck = state === "full" && !alive;
        alive = false;
        if (!stuck && sink.heartbeat()) return;
        metrics.slowReader();
        leave();
        sink.terminate();
      }

      function leave(): void {
        if (state === "left") return;
        state = "left";
        cancel();
        unsubscribe();
        readers.delete(end);
        metrics.eventReaders(readers.size);
      }

      function end(): void {
        leave();
        sink.end();
      }

      let cancel = clock.after(heartbeat, beat);
      const unsubscribe = feed.subscribe(schedule);
      readers.add(end);
      metrics.eventReaders(readers.size);
      schedule();
      return {
        drained() {
          if (state !== "full") return;
          state = "reading";
          alive = true;
          schedule();
        },
        left: leave,
      };
    },
    close() {
      closed = true;
      for (const end of [...readers]) end();
    },
  };
}
