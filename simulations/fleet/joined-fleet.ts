import { type AgentOutcome, type AgentProgress, startAgent } from "../../client/agent.ts";
import { secureUniform } from "../../client/back-off.ts";
import type { ConnectionPorts } from "../../client/connection-driver.ts";
import { createDevice, type DeviceOptions } from "../../client/device.ts";
import type { DeviceJournal } from "../../client/journal.ts";
import type { DeviceMemory } from "../../client/memory.ts";
import type { DeviceIdentity } from "../../client/secagg/session.ts";
import { ENGINES } from "../../client/training/engines.ts";
import type { Trainer } from "../../client/training/trainer.ts";
import { shareDownloads } from "../../client/transport/shared-downloads.ts";
import { toHex } from "../../shared/crypto/bytes.ts";
import type { CryptoProvider } from "../../shared/crypto/provider.ts";
import { rememberVerifications } from "../../shared/crypto/remembering-verifier.ts";
import type { Welcome } from "../../shared/protocol/connection-messages.ts";
import { MurmurError } from "../../shared/protocol/errors.ts";
import type { DeviceId } from "../../shared/protocol/ids.ts";
import { steadyClock, type TimeSources } from "../../shared/time/steady-clock.ts";
import type { DatasetSpec } from "../datasets/index.ts";
import { loadReferredModel } from "../load-model.ts";
import { createDealtData } from "./dealt-data.ts";
import { dropoutPlan } from "./dropout-plan.ts";
import { createTrainingQueue } from "./training-queue.ts";
import { vanishingDevice } from "./vanishing-device.ts";

export interface FleetMember {
  readonly identity: DeviceIdentity;
  readonly journal: DeviceJournal;
  readonly memory?: DeviceMemory;
}

export interface JoinedFleetOptions
  extends Pick<DeviceOptions, "policy" | "authority" | "maxRoundsPerDay">,
    Pick<ConnectionPorts, "dial" | "fetchModel"> {
  readonly members: readonly FleetMember[];
  readonly provider: CryptoProvider;
  readonly engine: Trainer["engine"];
  /** What stands on this side for data and a model that the coordinator has from files. */
  readonly own?: { readonly dataset?: DatasetSpec; readonly model?: string };
  /** The name and port that is dialled, as in the URL. */
  readonly audience: string;
  readonly software: string;
  readonly time: TimeSources;
  /** Enrols all of them, where there is a join token. */
  readonly enrol?: () => Promise<void>;
  /** Lets the process's other events in; called before each training. */
  breathe(): Promise<void>;
  /** What happens to a device, by its public key in hexadecimal. */
  report(device: string, progress: FleetProgress): void;
}

export type FleetProgress = AgentProgress | { readonly kind: "ended"; readonly outcome: AgentOutcome };

/** Devices of one process, each on a connection of its own to one coordinator. */
export interface JoinedFleet {
  /** Says goodbye for each of them. */
  stop(): void;
  /** Once every device has ended. Rejects only for an error of the program itself. */
  readonly ended: Promise<JoinedFleetResult>;
}

export interface JoinedFleetResult {
  readonly devices: number;
  /** Rounds that at least one of them was in to the end. */
  readonly rounds: number;
  /** Uploads that left in this process's life. */
  readonly uploads: number;
  /** The coordinator said that the run is over. */
  readonly finished: boolean;
  /** Public keys in hexadecimal, and why. */
  readonly refused: readonly { readonly device: string; readonly error: MurmurError }[];
}

/** Signature checks that are remembered: some rounds' rosters and confirmations of a large cohort. */
const REMEMBERED_CHECKS = 16_384;

/** Milliseconds between the first device that hears that the run is over and the last that is told. */
const HEARSAY = 1_000;

export function joinFleet(options: JoinedFleetOptions): JoinedFleet {
  const { members, time, report } = options;
  const provider = rememberVerifications(options.provider, REMEMBERED_CHECKS);
  const uniform = secureUniform(provider.random);
  const data = createDealtData(options.own?.dataset);
  const trainers = new Map<string, Promise<Trainer>>();
  const queue = createTrainingQueue(options.breathe);
  const fetchModel = shareDownloads(options.fetchModel);
  const enrol = options.enrol === undefined ? {} : { enrol: shareEnrolment(options.enrol) };
  const rounds = new Set<number>();
  let uploads = 0;
  let cancelStop: (() => void) | undefined;
  let unable: MurmurError | undefined;

  function trainerOf(model: string): Promise<Trainer> {
    const known = trainers.get(model);
    if (known !== undefined) return known;
    const made = data
      .dataset()
      .then((dataset) => loadReferredModel(model, options.own?.model, dataset))
      .then((definition) => ENGINES[options.engine](definition));
    trainers.set(model, made);
    return made;
  }

  const train: ConnectionPorts["train"] = async (request, welcome, wanted) => {
    try {
      const place = data.join(welcome);
      const trainer = await trainerOf(request.model);
      return await queue.run(wanted, async () =>
        trainer.train(request.parameters, await data.examples(place), request.task, request.random),
      );
    } catch (error) {
      // Data, model and engine are the process's: what one of its devices can never train, none of them can.
      if (error instanceof MurmurError) {
        unable ??= error;
        stop();
      }
      throw error;
    }
  };

  function journalOf(journal: DeviceJournal): DeviceJournal {
    return {
      ...journal,
      record(entry) {
        journal.record(entry);
        uploads++;
      },
    };
  }

  const agents = members.map((member) => {
    const journal = journalOf(member.journal);
    const { identity } = member;
    const name = toHex(identity.publicKey);
    const agent = startAgent({
      ...enrol,
      provider,
      identity,
      audience: options.audience,
      software: options.software,
      dial: options.dial,
      // Each its own: a round that one device begins must not move another's deadlines.
      clock: steadyClock(time),
      uniform,
      fetchModel,
      train,
      device(welcome: Welcome) {
        const { seed, dropout } = data.join(welcome);
        const device = createDevice({
          name: welcome.device,
          provider,
          identity,
          ...(options.authority === undefined ? {} : { authority: options.authority }),
          policy: options.policy,
          acceptsSimulation: true,
          maxRoundsPerDay: options.maxRoundsPerDay,
          journal,
          ...(member.memory === undefined ? {} : { memory: member.memory }),
        });
        const plan = dropoutPlan(seed, dropout);
        return vanishingDevice(device, (round) => plan(round, welcome.device as DeviceId));
      },
      report(progress) {
        if (progress.kind === "round" && progress.outcome.kind === "done") rounds.add(progress.number);
        report(name, progress);
      },
    });
    const ended = agent.ended.then((outcome) => {
      report(name, { kind: "ended", outcome });
      // The run is over for all of them. Those that are connected hear it too; to the others nobody may say it any more.
      if (outcome.kind === "finished") cancelStop ??= time.after(HEARSAY, stop);
      return { device: name, outcome };
    });
    return { stop: agent.stop, ended };
  });

  function stop(): void {
    for (const agent of agents) agent.stop();
  }

  async function settle(): Promise<JoinedFleetResult> {
    try {
      const outcomes = await Promise.all(agents.map(({ ended }) => ended));
      return {
        devices: members.length,
        rounds: rounds.size,
        uploads,
        finished: outcomes.some(({ outcome }) => outcome.kind === "finished"),
        refused: outcomes.flatMap(({ device, outcome }) => {
          const error = outcome.kind === "refused" ? outcome.error : unable;
          return error === undefined || outcome.kind === "finished" ? [] : [{ device, error }];
        }),
      };
    } finally {
      cancelStop?.();
      stop();
      // An engine is not taken away from a training that is under way.
      await queue.idle();
      for (const trainer of trainers.values()) await trainer.then(({ dispose }) => dispose()).catch(() => undefined);
    }
  }

  return { stop, ended: settle() };
}

/** One enrolment for all devices of the process. One that failed, or that the coordinator has forgotten, is repeated. */
function shareEnrolment(enrolAll: () => Promise<void>): (again: boolean) => Promise<void> {
  let current: { readonly done: Promise<void>; settled: boolean } | undefined;
  return (again) => {
    if (current === undefined || (again && current.settled)) {
      const started = { done: enrolAll(), settled: false };
      current = started;
      started.done.then(
        () => {
          started.settled = true;
        },
        () => {
          if (current === started) current = undefined;
        },
      );
    }
    return current.done;
  };
}
