import type { CryptoProvider } from "../shared/crypto/provider.ts";
import { parameterBytes } from "../shared/learning/parameters.ts";
import { LARGEST_SENT_MODEL } from "../shared/protocol/control-messages.ts";
import type { DeviceId } from "../shared/protocol/ids.ts";
import type { SeededRandom } from "../shared/random/seeded-random.ts";
import type { SteadyClock } from "../shared/time/steady-clock.ts";
import type { StopSignal } from "../shared/time/stop-signal.ts";
import type { DeviceHub } from "./connections/device-hub.ts";
import { gatherDevices, type Presence, type ToldPresence } from "./gather.ts";
import { type LiveTraffic, playLiveRound } from "./live-round.ts";
import type { RoundFact } from "./round.ts";
import { createModelUploads } from "./selection/model-uploads.ts";
import { selectCohort } from "./selection/select-cohort.ts";
import { type Broadcast, type FederatedTask, firstQuorum, type OpenRound, openRound } from "./task.ts";

/** Plays a task's rounds with the devices that are connected. */
export interface RoundHost {
  /**
   * Waits until a round on this model can begin.
   * @returns `exhausted` when the enrolled devices have nearly all uploaded for the model, so that no round ever can
   */
  gather(broadcast: Broadcast, watch: GatherWatch): Promise<"ready" | "stopped" | "exhausted">;
  play(number: number, broadcast: Broadcast, watch: RoundWatch): Promise<HostedRound>;
  /** Least number of devices with which a round begins. */
  readonly need: number;
  /** The model of the round that is under way, or comes next: what devices may fetch. */
  readonly model: HostedModel | undefined;
  /** When the next round may begin, by the clock; undefined when it may at once. */
  readonly nextRoundAt: number | undefined;
}

export interface HostedModel {
  /** SHA-256 of the bytes. */
  readonly hash: Uint8Array;
  readonly bytes: Uint8Array;
}

export interface GatherWatch {
  readonly stop: StopSignal;
  onPresence(presence: ToldPresence): void;
}

export interface RoundWatch {
  readonly stop: StopSignal;
  onSelected(invited: readonly DeviceId[]): void;
  onFacts(facts: readonly RoundFact[]): void;
  /** Before masks are asked for. */
  beforeMasks?(): void;
}

export interface HostedRound {
  readonly invited: readonly DeviceId[];
  readonly traffic: LiveTraffic;
  readonly opened: OpenRound;
}

export interface RoundHostOptions {
  readonly provider: CryptoProvider;
  readonly task: FederatedTask;
  readonly hub: DeviceHub;
  readonly clock: SteadyClock;
  /** Devices that the fleet is meant to have: the first round waits for all of them. */
  readonly fleet: number;
  /** Devices that are enrolled, and not revoked. */
  enrolled(): number;
  /** Devices that a round invites. */
  readonly invited: number;
  /** Milliseconds that devices have to come for a round. */
  readonly selectionWindow: number;
  /** Milliseconds from one round's beginning to the next, at least; 0: at once. */
  readonly interval: number;
  /** Draws a round's cohort. */
  selection(round: number): SeededRandom;
  /** The machine's clock has leapt by so many milliseconds since the last round; no deadline was moved by it. */
  onClockLeap(milliseconds: number): void;
}

/** A clock that is slewed gains or loses less than this between rounds. */
const LEAP_MS = 2_000;

export function createRoundHost(options: RoundHostOptions): RoundHost {
  const { provider, task, hub, clock } = options;
  const need = firstQuorum(task.terms.floors.minCohort, task.goal);
  const uploads = createModelUploads();
  const onceForAModel = task.authority !== undefined;
  /** How many devices came to the last rounds; the first one expects the whole fleet. */
  let expected = options.fleet;
  let model: HostedModel | undefined;
  let notBefore: number | undefined;

  /** Who waits, and may be asked for this model. */
  function candidates(): { readonly device: DeviceId; readonly idPk: Uint8Array }[] {
    const waiting = hub.waiting();
    return onceForAModel ? waiting.filter(({ idPk }) => !uploads.has(idPk)) : waiting;
  }

  /** Counts, and remembers who can be counted on. */
  function presence(): Presence {
    expected = Math.max(expected, Math.min(options.fleet, hub.regulars));
    return {
      connected: hub.connected,
      waiting: onceForAModel ? candidates().length : hub.waitingCount,
      expected: Math.max(need, onceForAModel ? expected - uploads.count : expected),
      need,
    };
  }

  function adopt({ values }: Broadcast): HostedModel {
    const bytes = parameterBytes(values);
    const adopted = { hash: provider.sha256(bytes), bytes };
    uploads.begin(adopted.hash);
    model = adopted;
    return adopted;
  }

  /** Between rounds, and only there, the clock is brought in line with the machine's. */
  function anchorClock(): void {
    const leapt = clock.anchor();
    if (notBefore !== undefined) notBefore += leapt;
    if (Math.abs(leapt) >= LEAP_MS) options.onClockLeap(leapt);
  }

  return {
    need,
    get model() {
      return model;
    },
    get nextRoundAt() {
      return notBefore;
    },
    async gather(broadcast, { stop, onPresence }) {
      adopt(broadcast);
      anchorClock();
      const outcome = await gatherDevices({
        clock,
        stop,
        window: options.selectionWindow,
        notBefore,
        presence,
        isHopeless: () => onceForAModel && uploads.count > 0 && options.enrolled() - uploads.count < need,
        onChange: hub.onChange,
        onPresence,
      });
      if (outcome === "enough") {
        // The others are not waited for until they come again.
        hub.missAbsent();
        expected = hub.regulars;
      }
      if (outcome === "stopped") return "stopped";
      return outcome === "hopeless" ? "exhausted" : "ready";
    },
    async play(number, broadcast, watch) {
      anchorClock();
      const { bytes } = adopt(broadcast);
      const startedAt = clock.now();
      notBefore = options.interval > 0 ? startedAt + options.interval : undefined;
      const keys = new Map(candidates().map(({ device, idPk }) => [device, idPk]));
      const invited = selectCohort([...keys.keys()], options.invited, options.selection(number));
      watch.onSelected(invited);
      const opened = openRound(provider, task, number, broadcast, invited, Math.floor(startedAt / 1000), {
        identityOf: (device) => keys.get(device),
        ...(watch.beforeMasks === undefined ? {} : { beforeMasks: watch.beforeMasks }),
      });
      const traffic = await playLiveRound({
        round: opened.round,
        invited,
        occupy: (listener) => hub.occupy(invited, listener),
        fetchedBytes: bytes.length > LARGEST_SENT_MODEL ? bytes.length : 0,
        clock,
        stop: watch.stop,
        onFacts(facts) {
          for (const fact of facts) {
            const idPk = showsUpload(fact) ? keys.get(fact.device) : undefined;
            if (idPk !== undefined) uploads.add(idPk);
          }
          watch.onFacts(facts);
        },
      });
      // Devices hear how it ended before it is stored: a coordinator that is killed in between says which round it lost,
      // and could not say which one a device has not heard the end of.
      await hub.handedOver();
      return { invited, traffic, opened };
    },
  };
}

/** Whether a fact says that the device's upload for the model has left it. */
function showsUpload(fact: RoundFact): fact is Extract<RoundFact, { readonly device: DeviceId }> {
  if (fact.kind === "answered") return fact.stage === "mask";
  return fact.kind === "lost" && fact.reason === "declined" && fact.detail === "already-uploaded";
}
