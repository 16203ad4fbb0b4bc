import type { DeviceId } from "../shared/protocol/ids.ts";
import type { Clock } from "../shared/time/clock.ts";
import type { StopSignal } from "../shared/time/stop-signal.ts";
import type { RoundLinks, RoundListener } from "./connections/connection.ts";
import type { Round, RoundEffects, RoundFact } from "./round.ts";

/** A round over connections: what drives the state machine is sockets and real deadlines. */
export interface LiveRoundOptions {
  readonly round: Round;
  readonly invited: readonly DeviceId[];
  /** Takes the invited devices' connections into the round. */
  occupy(listener: RoundListener): RoundLinks;
  /** Bytes that each device fetches rather than is sent. */
  readonly fetchedBytes: number;
  readonly clock: Clock;
  readonly stop: StopSignal;
  /** Called with what happened, in order, as it happens. */
  onFacts(facts: readonly RoundFact[]): void;
}

export interface LiveTraffic {
  /** Application bytes, all frames and fetched models, over all devices. */
  readonly bytesUp: number;
  readonly bytesDown: number;
}

/** Runs the round to its end. Rejects only with an error of the program or of the store. */
export function playLiveRound(options: LiveRoundOptions): Promise<LiveTraffic> {
  const { round, invited, clock } = options;
  let bytesUp = 0;
  let bytesDown = 0;
  let cancelTimer: (() => void) | undefined;
  let timerAt: number | undefined;

  return new Promise((resolve, reject) => {
    const inRound = new Set(invited);
    const links = options.occupy({
      frame(device, frame) {
        bytesUp += frame.length;
        step(() => round.receive(clock.now(), device, frame));
      },
      gone: (device, loss) => step(() => round.disconnected(clock.now(), device, loss)),
    });
    const unsubscribe = options.stop.onChange((request) => {
      if (request === "now") step(() => round.stop(clock.now(), "stopped"));
    });

    function end(): void {
      cancelTimer?.();
      unsubscribe();
      links.release();
    }

    /** One input to the round, and what comes of it. */
    function step(input: () => RoundEffects): void {
      if (isOver()) return;
      try {
        apply(input());
        if (isOver()) {
          end();
          resolve({ bytesUp, bytesDown });
        } else setTimer();
      } catch (error) {
        end();
        reject(error);
      }
    }

    function apply({ send, facts, uploads }: RoundEffects): void {
      for (const fact of facts) note(fact);
      for (const device of uploads) links.resume(device);
      for (const { to, frame } of send) {
        bytesDown += frame.length;
        links.send(to, frame);
      }
      if (facts.length > 0) options.onFacts(facts);
    }

    function note(fact: RoundFact): void {
      if (fact.kind === "lost") {
        inRound.delete(fact.device);
        links.resume(fact.device);
      } else if (fact.kind === "answered") {
        if (fact.stage === "configure") bytesDown += options.fetchedBytes;
      } else {
        // Uploads wait, each for its turn: until then they stay in the operating systems' buffers and with the devices.
        const hold = fact.stage === "mask" ? links.pause : links.resume;
        for (const device of inRound) hold(device);
      }
    }

    function setTimer(): void {
      const { deadline } = round;
      if (deadline === timerAt || deadline === undefined) return;
      cancelTimer?.();
      timerAt = deadline;
      cancelTimer = clock.after(Math.max(0, deadline - clock.now()), () => {
        timerAt = undefined;
        step(() => round.tick(clock.now()));
      });
    }

    step(() => round.start(clock.now()));
    if (options.stop.request === "now") step(() => round.stop(clock.now(), "stopped"));
  });

  function isOver(): boolean {
    return round.stage === "done" || round.stage === "abandoned";
  }
}
