import { join } from "node:path";
import { roundNumber } from "../../client/device.ts";
import { type Checkpoint, openRunReader, type SpentRound } from "../../server/store/run-reader.ts";
import type { CryptoProvider } from "../../shared/crypto/provider.ts";
import { MurmurError } from "../../shared/protocol/errors.ts";
import type { RoundRecord } from "../../shared/protocol/round-record.ts";
import { type RunMeta, transportOf } from "../../shared/protocol/run-meta.ts";
import { createStopSwitch } from "../../shared/time/stop-signal.ts";
import { FLEET_JOURNAL_FILE, type FleetUpload, readFleetJournal } from "../fleet/fleet-journal.ts";
import { passingFleetMemories } from "../fleet/fleet-memories.ts";
import type { CreatePool } from "../fleet/training/training-pool.ts";
import { type RunConfig, runConfigSchema } from "./config.ts";
import { modelHash } from "./fingerprints.ts";
import { createInProcessFederation, type InProcessFederation, type RoundCourse } from "./in-process-federation.ts";
import { recordedCourses } from "./recorded-courses.ts";
import { checkInputs } from "./recorded-inputs.ts";
import { FROM_OUTSIDE } from "./round-figures.ts";
import { authorityOf } from "./run-authority.ts";
import { broadcastOf } from "./run-round.ts";

/** What running it again showed. */
export interface Verification {
  readonly matches: boolean;
  readonly run: string;
  /** Committed rounds that were played again. */
  readonly rounds: number;
  /** The first round whose model differs. */
  readonly firstDifference: number | null;
  readonly expectedHash: string;
  readonly actualHash: string;
  /**
   * What equality can be asked for: bit for bit with the onnx engine on the machine and engine build of the record;
   * elsewhere floating-point kernels differ, and a difference says nothing about the record.
   */
  readonly comparison: "bit-exact" | "tolerance";
  readonly detail: string;
}

export interface VerifyOptions {
  readonly folder: string;
  readonly provider: CryptoProvider;
  /** Where devices are trained; without it, in this thread. */
  readonly createPool?: CreatePool;
  clock(): number;
  breathe(): Promise<void>;
  /** Told after each round that was played again. */
  onRound?(round: number, of: number): void;
  /** The machine that this runs on, as the stamp names it. */
  readonly machine: { readonly cpu: string; readonly node: string };
}

/**
 * Plays a finished or paused run again from its configuration, round number by round number: those that were committed,
 * and those that were abandoned for a reason that lies in the experiment. Numbers that an interruption spent are passed
 * over, as they were (`architecture.md`, "Storage"), but for what the devices remember of them: the uploads that had
 * left by then. Nothing is written.
 *
 * @throws {MurmurError} `run-not-found`, `store-corrupt`
 */
export async function verifyRun(options: VerifyOptions): Promise<Verification> {
  const recorded = readRecorded(options.folder);
  const { config, meta } = recorded;
  const { provider, clock } = options;
  if (config.privacy?.randomness === "system") {
    throw new MurmurError(
      "not-repeatable",
      `${options.folder} drew its coins and its noise from the operating system.`,
    );
  }
  const memories = passingFleetMemories();
  const federation = await createInProcessFederation({
    config,
    provider,
    taskId: provider.random.bytes(16),
    // The run that is verified keeps its journal; this one ends with the process.
    journal: { uploads: [], record: () => {} },
    memories,
    ...(options.createPool === undefined ? {} : { createPool: options.createPool }),
    ...authorityOf(config, provider, clock()),
  });
  try {
    checkInputs(meta, federation.experiment.inputs);
    return conclude(recorded, await replay(options, federation, recorded), comparisonOf(meta, options.machine));
  } finally {
    await federation.dispose();
    memories.close();
  }
}

interface Recorded {
  readonly meta: RunMeta;
  readonly config: RunConfig;
  readonly spent: readonly SpentRound[];
  readonly records: readonly RoundRecord[];
  readonly checkpoint: Checkpoint;
  readonly uploads: readonly FleetUpload[];
  /** How each round went, where that does not all come from the seed. */
  readonly courses: ReadonlyMap<number, RoundCourse>;
}

function readRecorded(folder: string): Recorded {
  const reader = openRunReader(folder);
  try {
    const meta = reader.meta();
    const checkpoint = reader.latestCheckpoint();
    if (meta === undefined || checkpoint === undefined) {
      throw new MurmurError("run-not-found", `${folder} holds no committed round to verify.`);
    }
    return {
      meta,
      config: runConfigSchema.parse(meta.config),
      spent: reader.spentRounds(),
      records: reader.rounds(),
      checkpoint,
      uploads: readFleetJournal(join(folder, FLEET_JOURNAL_FILE)),
      courses: transportOf(meta) === "sockets" ? recordedCourses(reader.events()) : new Map(),
    };
  } finally {
    reader.close();
  }
}

interface Replay {
  readonly rounds: number;
  readonly firstDifference: number | null;
  readonly hash: string;
}

async function replay(options: VerifyOptions, federation: InProcessFederation, recorded: Recorded): Promise<Replay> {
  const { algorithm, initial } = federation.experiment;
  const hashes = new Map(recorded.records.map(({ round, modelHash }) => [round, modelHash]));
  const spent = recorded.spent.filter(({ round }) => round <= recorded.checkpoint.round);
  const isPlayed = ({ outcome, reason }: SpentRound) => outcome !== "open" && !FROM_OUTSIDE.has(reason);
  const most = spent.filter(isPlayed).length;
  let state = algorithm.init(initial);
  let rounds = 0;
  for (const entry of spent) {
    const { round } = entry;
    if (!isPlayed(entry)) {
      recorded.uploads.filter(({ roundId }) => roundNumber(roundId) === round).forEach(federation.recall);
      continue;
    }
    const observer = {
      onSelected: () => {},
      onFacts: () => {},
      onTrainingError: () => {},
      breathe: options.breathe,
      stop: createStopSwitch(),
      startsAt: options.clock(),
    };
    // Of rounds that were lost nobody here has kept anything.
    const broadcast = broadcastOf(federation.experiment, state, []);
    const { outcome } = await federation.replay(round, broadcast, observer, recorded.courses.get(round));
    if (outcome.kind === "summed") state = algorithm.next(state, outcome.aggregate);
    if (modelHash(state.parameters) !== hashes.get(round)) {
      return { rounds, firstDifference: round, hash: modelHash(state.parameters) };
    }
    rounds++;
    options.onRound?.(rounds, most);
  }
  return { rounds, firstDifference: null, hash: modelHash(state.parameters) };
}

function conclude(recorded: Recorded, again: Replay, comparison: Verification["comparison"]): Verification {
  const matches = again.firstDifference === null && again.hash === recorded.checkpoint.hash;
  const detail = matches
    ? `${again.rounds} rounds played again gave the same parameters, bit for bit.`
    : comparison === "bit-exact"
      ? `Round ${again.firstDifference} gave other parameters than the record holds.`
      : `Round ${again.firstDifference} gave other parameters. The record is of another machine, engine or version, where ` +
        "floating-point results differ: that is no evidence against it.";
  return {
    matches,
    run: recorded.meta.run,
    rounds: again.rounds,
    firstDifference: again.firstDifference,
    expectedHash: recorded.checkpoint.hash,
    actualHash: again.hash,
    comparison,
    detail,
  };
}

function comparisonOf({ stamp }: RunMeta, machine: VerifyOptions["machine"]) {
  const same = stamp.cpu === machine.cpu && stamp.node === machine.node;
  return stamp.engine === "onnx" && same ? "bit-exact" : "tolerance";
}
