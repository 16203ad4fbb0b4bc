import type { EventPayloads, RunEvent, RunSummary } from "../../shared/protocol/events.ts";
import type { Colours } from "./colours.ts";
import { bytesText, decimalText, percentText, secondsText, virtualDurationText, virtualTimeText } from "./figures.ts";
import { headlineParts, isMasked, protectionParts } from "./run-headline.ts";

export interface LineOptions {
  readonly paint: Colours;
  /** Also every stage and every device that is lost. */
  readonly verbose: boolean;
  /** What keeps the coordinator from seeing more than sums, once it is known. */
  readonly protection: RunSummary["protection"] | undefined;
  /** Rounds that the run is to commit, once it is known. */
  readonly rounds: number | undefined;
}

/** What an event is worth in a plain log: one line a round, and what is out of the ordinary; undefined for the rest. */
export function logLine(event: RunEvent, options: LineOptions): string | undefined {
  const { paint, verbose } = options;
  switch (event.type) {
    case "run.started":
      return startLine(event.run, event.p.summary, event.p.provenance.seed, paint);
    case "run.resumed": {
      const spent = event.p.spent.length === 0 ? "" : `; spent and not committed: ${event.p.spent.join(", ")}`;
      return `run ${paint.bold(event.run)} goes on${spent}`;
    }
    case "round.done": {
      const { round, acc, loss, cohort, lost, up, down, ms, virtual } = event.p;
      const of = options.rounds === undefined ? "" : `/${options.rounds}`;
      return [
        `round ${String(round).padStart(String(options.rounds ?? round).length)}${of}`,
        `acc ${percentText(acc).padStart(6)}`,
        `loss ${decimalText(loss)}`,
        `${String(cohort).padStart(3)} updates`,
        `${String(lost).padStart(2)} lost`,
        `${bytesText(up)} up`,
        `${bytesText(down)} down`,
        secondsText(ms / 1000),
        ...(virtual === undefined
          ? []
          : [`${virtualTimeText(virtual.at)} for ${virtualDurationText(virtual.elapsed)} (virtual)`]),
      ].join("  ");
    }
    case "round.abandoned": {
      const { reason, stage, have, need } = event.p;
      const where = stage === undefined ? "" : ` at ${stage}`;
      const short = need > 0 ? ` (${have} of ${need})` : "";
      const unopened = isMasked(options.protection) ? "; no update was opened" : "";
      return paint.warning(`round ${event.round ?? "?"} abandoned${where}: ${reason}${short}${unopened}`);
    }
    case "round.stage":
      return verbose ? paint.dim(`  ${event.p.stage}, ${event.p.expected} devices`) : undefined;
    case "device.lost": {
      const { id, at, reason, detail } = event.p;
      return verbose
        ? paint.dim(`  ${id} lost at ${at}: ${reason}${detail === undefined ? "" : ` (${detail})`}`)
        : undefined;
    }
    case "log":
      return event.p.level === "info" && !verbose ? undefined : event.p.text;
    case "fleet.presence":
      return verbose ? paint.dim(`  ${presenceText(event.p, event.t)}`) : undefined;
    case "run.done":
    case "round.started":
    case "device.state":
      return undefined;
  }
}

/** How many devices are there, and for how many the next round waits, and for how long. */
export function presenceText(presence: EventPayloads["fleet.presence"], now: number): string {
  const { connected, waiting, expected, need, until } = presence;
  const here = `${waiting} of ${expected} devices ready, ${connected} connected`;
  if (waiting < need) return `${here}; the next round needs ${need - waiting} more`;
  const left = until === undefined ? "" : `, for ${Math.max(0, Math.ceil((until - now) / 1000))} s at most`;
  return `${here}; the next round waits for ${Math.max(0, expected - waiting)} more${left}`;
}

function startLine(run: string, summary: RunSummary, seed: number, paint: Colours): string {
  return [`run ${paint.bold(run)}`, ...headlineParts(summary, seed), ...protectionParts(summary)].join(" · ");
}
