import type { RunEvent } from "../shared/protocol/events.ts";
import type { Invocation } from "./invocation.ts";
import { createLiveScreen } from "./views/live-screen.ts";
import { liveView, type ViewOptions } from "./views/live-view.ts";
import { isMasked } from "./views/run-headline.ts";
import { logLine } from "./views/run-lines.ts";
import { advance, type RunProgress } from "./views/run-progress.ts";

/** What a person, or a pipe, sees of a run while it goes on. */
export interface RunDisplay {
  show(event: RunEvent): void;
  /** A line that stays, above what is redrawn. */
  print(text: string): void;
  stopping(stop: ViewOptions["stop"]): void;
  /** Gives the terminal back. Can be called twice. */
  end(): void;
}

/** At most ten drawings a second: more is flicker, and work that training needs. */
const REDRAW_MILLISECONDS = 100;

/**
 * Chooses by where the streams lead: a live view on a terminal, a line a round elsewhere, events on standard output with
 * `--format ndjson`, nothing with --quiet or --no-progress.
 */
export function createRunDisplay(invocation: Invocation, before: RunProgress): RunDisplay {
  const { edge, flags } = invocation;
  const silent = flags.quiet || !flags.progress;
  const progress = silent
    ? SILENT
    : usesLiveView(invocation)
      ? liveDisplay(invocation, before)
      : lineDisplay(invocation, before);
  return {
    ...progress,
    show(event) {
      if (flags.format === "ndjson") edge.stdout.write(`${JSON.stringify(event)}\n`);
      progress.show(event);
    },
  };
}

const SILENT: RunDisplay = { show() {}, print() {}, stopping() {}, end() {} };

/** A screen that events are printed on is no place for a view that redraws itself. */
function usesLiveView({ edge, flags }: Invocation): boolean {
  const eventsOnScreen = flags.format === "ndjson" && edge.stdout.isTTY;
  return edge.stderr.isTTY && edge.env.TERM !== "dumb" && !eventsOnScreen && !flags.verbose;
}

function lineDisplay({ flags, note, paint }: Invocation, before: RunProgress): RunDisplay {
  let summary = before.summary;
  return {
    show(event) {
      if (event.type === "run.started") summary = event.p.summary;
      const { protection, rounds } = summary ?? { protection: undefined, rounds: undefined };
      const line = logLine(event, { paint: paint.stderr, verbose: flags.verbose, protection, rounds });
      if (line !== undefined) note(line);
    },
    print: note,
    stopping(stop) {
      if (stop === "after-round") note("stopping after this round; once more abandons it now");
      if (stop === "now")
        note(`abandoning this round${isMasked(summary?.protection) ? ": no update of it is opened" : ""}`);
    },
    end() {},
  };
}

function liveDisplay({ edge, paint }: Invocation, before: RunProgress): RunDisplay {
  const screen = createLiveScreen(edge.stderr);
  let progress = before;
  let stop: ViewOptions["stop"] = "none";
  let drawnAt = Number.NEGATIVE_INFINITY;
  const draw = () => {
    const now = edge.clock();
    if (now - drawnAt < REDRAW_MILLISECONDS) return;
    drawnAt = now;
    screen.draw(liveView(progress, { now, columns: Math.max(20, edge.stderr.columns), paint: paint.stderr, stop }));
  };
  const cancel = edge.every(REDRAW_MILLISECONDS, draw);
  const print = (text: string) => {
    screen.clear();
    edge.stderr.write(`${text}\n`);
    drawnAt = Number.NEGATIVE_INFINITY;
    draw();
  };
  return {
    show(event) {
      progress = advance(progress, event);
      if (event.type === "log" && event.p.level !== "info") print(event.p.text);
      draw();
    },
    print,
    stopping(request) {
      stop = request;
      drawnAt = Number.NEGATIVE_INFINITY;
      draw();
    },
    end() {
      cancel();
      screen.end();
    },
  };
}
