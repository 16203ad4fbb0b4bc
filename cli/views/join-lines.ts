import type { FleetProgress } from "../../simulations/fleet/joined-fleet.ts";
import type { Invocation } from "../invocation.ts";
import { countText } from "./figures.ts";

/** What a person, or a pipe, sees of a process's devices. */
export interface JoinDisplay {
  /** @param device its public key in hexadecimal */
  show(device: string, progress: FleetProgress): void;
  /** Prints what has not been printed yet. Can be called twice. */
  end(): void;
}

/** A line for what changed, at most so often, milliseconds: a fleet does the same thing many times at once. */
const PAUSE = 1000;

type Outcomes = Map<string, number>;

/**
 * Lines on standard error, one for all devices that did the same; with `--format ndjson` each device's progress on
 * standard output. Refusals are told at once.
 */
export function createJoinDisplay(invocation: Invocation, devices: number): JoinDisplay {
  const { edge, flags } = invocation;
  const connected = new Set<string>();
  const rounds = new Map<number, Outcomes>();
  const troubles = new Map<string, number>();
  let away: { readonly reason: string; readonly milliseconds: number } | undefined;
  let shown = connectedText();

  function connectedText(): string {
    return `${countText(connected.size)} of ${countText(devices)} connected`;
  }

  function take(device: string, progress: FleetProgress): void {
    switch (progress.kind) {
      case "welcomed":
        connected.add(device);
        break;
      case "away":
        connected.delete(device);
        away = progress;
        break;
      case "round":
        count(rounds, progress.number, outcomeText(progress.outcome));
        break;
      case "trouble":
        troubles.set(messageOf(progress.error), (troubles.get(messageOf(progress.error)) ?? 0) + 1);
        break;
      case "ended":
        connected.delete(device);
        if (progress.outcome.kind === "refused") {
          const { error } = progress.outcome;
          invocation.note(`device ${device.slice(0, 8)} is out: ${error.message} (${error.name})`);
        }
        break;
    }
  }

  function flush(): void {
    tell();
    const elsewhere = connected.size < devices ? away : undefined;
    const line = `${connectedText()}${elsewhere === undefined ? "" : `; ${elsewhere.reason}`}`;
    if (line === shown) return;
    shown = line;
    note(elsewhere === undefined ? line : `${connectedText()}; ${awayText(elsewhere)}`);
  }

  function tell(): void {
    for (const [message, times] of troubles) note(`${countText(times)} times: ${message}`);
    troubles.clear();
    for (const [number, outcomes] of rounds) {
      note(`round ${number}  ${[...outcomes].map(([outcome, times]) => `${times} ${outcome}`).join(", ")}`);
    }
    rounds.clear();
  }

  function note(text: string): void {
    if (flags.progress) invocation.note(text);
  }

  const cancel = edge.every(PAUSE, flush);
  return {
    show(device, progress) {
      if (flags.format === "ndjson") {
        edge.stdout.write(
          `${JSON.stringify({ type: `device.${progress.kind}`, t: edge.clock(), device, ...data(progress) })}\n`,
        );
      }
      take(device, progress);
    },
    end() {
      cancel();
      tell();
    },
  };
}

function count(rounds: Map<number, Outcomes>, number: number, outcome: string): void {
  const outcomes = rounds.get(number) ?? new Map<string, number>();
  rounds.set(number, outcomes);
  outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
}

function outcomeText(outcome: Extract<FleetProgress, { kind: "round" }>["outcome"]): string {
  switch (outcome.kind) {
    case "done":
      return "done";
    case "released":
      return `released (${outcome.reason})`;
    default:
      return `${outcome.kind} (${outcome.code}: ${outcome.detail})`;
  }
}

function awayText({ reason, milliseconds }: { reason: string; milliseconds: number }): string {
  return `back in ${(milliseconds / 1000).toFixed(1)} s: ${reason}`;
}

/** A device's progress as data: errors as their names and messages. */
function data(progress: FleetProgress): Record<string, unknown> {
  switch (progress.kind) {
    case "trouble":
      return { message: messageOf(progress.error) };
    case "ended": {
      const { outcome } = progress;
      if (outcome.kind !== "refused") return { outcome: outcome.kind };
      return { outcome: "refused", name: outcome.error.name, message: outcome.error.message };
    }
    case "round":
      return { round: progress.number, outcome: progress.outcome };
    case "welcomed":
      return { name: progress.name };
    case "away":
      return { reason: progress.reason, milliseconds: progress.milliseconds };
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
