import type { Clock } from "../shared/time/clock.ts";
import type { StopSignal } from "../shared/time/stop-signal.ts";
import { createGathering } from "./selection/gathering.ts";

/** How many devices are there, before a round. */
export interface Presence {
  /** Let in, whatever they do. */
  readonly connected: number;
  /** Checked in, and not used up for the model. */
  readonly waiting: number;
  /** Worth waiting for. */
  readonly expected: number;
  /** Least number with which the round begins. */
  readonly need: number;
}

/** As it is told: with when the round begins at the latest, by the clock, once enough devices are there. */
export interface ToldPresence extends Presence {
  readonly until?: number;
}

export interface GatherOptions {
  readonly clock: Clock;
  readonly stop: StopSignal;
  /** Milliseconds that devices have to come. */
  readonly window: number;
  /** The round does not begin before. */
  readonly notBefore: number | undefined;
  /** Counts now. */
  presence(): Presence;
  /** No later arrival can make this round possible. */
  isHopeless(): boolean;
  /** Calls back when the presence may have changed. */
  onChange(listener: () => void): () => void;
  /** Told of new counts, as often as a person can follow. */
  onPresence(presence: ToldPresence): void;
}

/** `all`, `enough`: the round can begin. */
export type Gathered = "all" | "enough" | "stopped" | "hopeless";

const PRESENCE_MS = 1_000;

/** Waits until a round can begin. It has no deadline of its own: a task waits for its devices until it is stopped. */
export function gatherDevices(options: GatherOptions): Promise<Gathered> {
  const { clock, stop } = options;
  const startedAt = clock.now();
  const gathering = createGathering({ need: options.presence().need, window: options.window, startedAt });
  return new Promise((resolve, reject) => {
    let cancelTimer: (() => void) | undefined;
    let cancelLook: (() => void) | undefined;
    let cancelTelling: (() => void) | undefined;
    let told: { readonly presence: ToldPresence; readonly at: number } | undefined;
    const looking = guarded(look);
    const telling = guarded(tell);
    const unsubscribe = [options.onChange(lookSoon), stop.onChange(looking)];

    /** Devices come in crowds: one look a turn of the event loop is enough. */
    function lookSoon(): void {
      cancelLook ??= clock.after(0, looking);
    }

    function look(): void {
      cancelLook?.();
      cancelLook = undefined;
      cancelTimer?.();
      cancelTimer = undefined;
      const outcome = outcomeAt(clock.now());
      if (outcome === undefined) return;
      end();
      resolve(outcome);
    }

    function end(): void {
      cancelLook?.();
      cancelTimer?.();
      cancelTelling?.();
      for (const leave of unsubscribe.splice(0)) leave();
    }

    /** What fails in a timer or a socket's turn, such as a full disk, is the waiting's failure, not the process's. */
    function guarded(act: () => void): () => void {
      return () => {
        try {
          act();
        } catch (error) {
          end();
          reject(error);
        }
      };
    }

    /** The first count at once; then the latest, once a second at most. */
    function tell(): void {
      cancelTelling?.();
      cancelTelling = undefined;
      const now = clock.now();
      const presence = presenceUntil(gathering.deadline);
      if (told !== undefined && isSame(told.presence, presence)) return;
      const due = told === undefined ? now : told.at + PRESENCE_MS;
      if (due > now) {
        cancelTelling = clock.after(due - now, telling);
        return;
      }
      told = { presence, at: now };
      options.onPresence(presence);
    }

    /** Undefined while the wait goes on; a timer is set then where one can help. */
    function outcomeAt(now: number): Gathered | undefined {
      if (stop.request !== "none") return "stopped";
      if (options.isHopeless()) return "hopeless";
      const { waiting, expected } = options.presence();
      const verdict = gathering.verdict(now, waiting, expected);
      const due = Math.max(options.notBefore ?? now, verdict === "wait" ? (gathering.deadline ?? now) : now);
      if (verdict !== "wait" && due <= now) return verdict;
      tell();
      if (due > now) cancelTimer = clock.after(due - now, looking);
      return undefined;
    }

    function presenceUntil(deadline: number | undefined): ToldPresence {
      const presence = options.presence();
      if (deadline === undefined) return presence;
      return { ...presence, until: Math.max(deadline, options.notBefore ?? deadline) };
    }

    looking();
  });
}

function isSame(a: ToldPresence, b: ToldPresence): boolean {
  const counts = ["connected", "waiting", "expected", "need", "until"] as const;
  return counts.every((name) => a[name] === b[name]);
}
