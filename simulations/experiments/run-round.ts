import type { Broadcast } from "../../server/task.ts";
import type { AlgorithmState } from "../../shared/learning/algorithms/index.ts";
import type { ParameterVector } from "../../shared/learning/parameters.ts";
import { euclideanNorm } from "../../shared/learning/transforms/clip.ts";
import { MurmurError } from "../../shared/protocol/errors.ts";
import type { DeviceId } from "../../shared/protocol/ids.ts";
import type { RoundRecord } from "../../shared/protocol/round-record.ts";
import { WorkerLost } from "../fleet/training/worker-thread.ts";
import type { Experiment } from "./experiment.ts";
import type { PlayedRound, ReadyWatch } from "./federation.ts";
import { modelHash } from "./fingerprints.ts";
import { type PrivacyAccount, privacyAccount } from "./privacy/privacy-account.ts";
import { isNoiseless, privacyPlan } from "./privacy/privacy-plan.ts";
import { slotNames } from "./privacy/published-names.ts";
import { roundSeconds } from "./round-figures.ts";
import { createRoundLog, type RoundLog } from "./round-log.ts";
import type { RunContext } from "./run-context.ts";

/** How far a run has come. */
export interface Progress {
  readonly state: AlgorithmState;
  /** Rounds that an earlier process was killed in. */
  readonly lost: readonly number[];
  /** Rounds that were committed. */
  readonly committed: number;
}

/**
 * Plays one round, once there are devices for it, and stores what became of it, in one transaction.
 * @returns how far the run has come with it, or how the round ended without a sum
 * @throws {MurmurError} when no later round can fare better
 */
export async function playRound(run: RunContext, progress: Progress): Promise<Progress | "abandoned" | "stopped"> {
  const { options, store, federation, recorder } = run;
  const { clock, stopwatch, stop } = options;
  const { state, lost } = progress;
  const { experiment } = federation;
  const account = accountOf(run);
  account?.requireBudget();
  const broadcast = broadcastOf(experiment, state, lost);
  const ready = await federation.ready(broadcast, { stop, onPresence: presenceLog(run) });
  if (ready === "stopped") return "stopped";
  // Written and synced before the round's first message leaves: whatever happens, no number is used twice.
  const round = store.spendRound();
  const log = createRoundLog(round, recorder, stopwatch, account === undefined ? undefined : slotNames);
  const played = await federation.play(round, broadcast, {
    onSelected: (invited) => log.selected(invited),
    onFacts: (facts) => log.take(facts),
    onTrainingError: (device, error) => reportTrainingError(run, log, round, device, error),
    ...(account === undefined ? {} : { beforeMasks: () => account.charge(round, clock()) }),
    breathe: options.breathe,
    stop,
    startsAt: clock(),
  });
  if (played.outcome.kind === "abandoned") {
    abandonRound(run, log, round, played, modelHash(state.parameters), clock());
    requireTrainable(log, played.invited);
    requireDevicesLeft(played);
    return played.outcome.reason === "stopped" ? "stopped" : "abandoned";
  }
  return commitRound(run, { round, log, played, progress });
}

/** Undefined without differential privacy. */
function accountOf({ options, store }: RunContext): PrivacyAccount | undefined {
  const plan = privacyPlan(options.config);
  return plan === undefined || isNoiseless(plan) ? undefined : privacyAccount(plan, store);
}

/** What the devices of the next round are sent. */
export function broadcastOf(
  { algorithm, roundTerms }: Pick<Experiment, "algorithm" | "roundTerms">,
  state: AlgorithmState,
  lost: readonly number[],
): Broadcast {
  const earlier = algorithm.earlier?.(state);
  const terms = roundTerms?.(state);
  return {
    values: algorithm.broadcast(state),
    lost,
    ...(earlier === undefined ? {} : { earlier }),
    ...(terms === undefined ? {} : { terms }),
  };
}

/** While devices are waited for, how many are there. */
function presenceLog({ recorder }: RunContext): ReadyWatch["onPresence"] {
  return (presence) => {
    recorder.emit("fleet.presence", presence);
    recorder.flush();
  };
}

interface SummedRound {
  readonly round: number;
  readonly log: RoundLog;
  readonly played: PlayedRound;
  readonly progress: Progress;
}

async function commitRound(run: RunContext, { round, log, played, progress }: SummedRound): Promise<Progress> {
  const {
    options: { config, clock },
    store,
    federation: { experiment },
    recorder,
  } = run;
  const { state, committed } = progress;
  const { outcome, traffic, invited, virtual, lostBefore } = played;
  if (outcome.kind !== "summed") throw new Error("only a round with a sum is committed");
  const { algorithm, evaluate } = experiment;
  const { aggregate, metrics, survivors, exact } = outcome;
  const compared = {
    updateNorm: euclideanNorm(aggregate.delta),
    ...(exact === undefined ? {} : { exact }),
    ...(virtual === undefined ? {} : { virtual }),
  };
  log.enter("apply", survivors.length);
  store.markUploadsUsed(round, survivors);
  const next = algorithm.next(state, aggregate);
  requireFinite(next.parameters);
  const last = committed + 1 === config.round.count;
  const isDue = last || (committed + 1) % config.round.evaluateEvery === 0;
  const test = isDue ? await evaluate(next.parameters) : undefined;
  log.close(survivors);
  const hash = modelHash(next.parameters);
  const examples = metrics.examples ?? 0;
  const epsilon = accountOf(run)?.spent();
  const record: RoundRecord = {
    round,
    outcome: "committed",
    invited,
    survivors: survivors.length,
    drops: log.drops,
    ...(test?.accuracy === undefined ? {} : { accuracy: test.accuracy }),
    ...(test === undefined ? {} : { testLoss: test.loss }),
    ...(examples > 0 ? { loss: (metrics.lossSum ?? 0) / examples } : {}),
    ...(epsilon === undefined ? {} : { epsilon }),
    ...traffic,
    ...(lostBefore === undefined ? {} : { lostBefore }),
    seconds: log.seconds,
    ...compared,
    modelHash: hash,
    at: clock(),
  };
  recorder.emit(
    "round.done",
    {
      round: committed + 1,
      acc: test?.accuracy ?? null,
      loss: test?.loss ?? null,
      eps: epsilon ?? null,
      cohort: survivors.length,
      lost: log.lost,
      up: traffic.bytesUp,
      down: traffic.bytesDown,
      ms: 1000 * roundSeconds(log),
      drops: log.drops,
      seconds: log.seconds,
      ...compared,
    },
    round,
  );
  const { parameters } = next;
  store.commitRound({ round, record, parameters, state: algorithm.encode(next), events: recorder.take() });
  return { ...progress, state: next, committed: committed + 1 };
}

function abandonRound(
  { store, recorder }: RunContext,
  log: RoundLog,
  round: number,
  { outcome, invited, traffic, virtual, lostBefore }: PlayedRound,
  hash: string,
  at: number,
): void {
  if (outcome.kind !== "abandoned") throw new Error("only a round without a sum is abandoned");
  log.close([]);
  const { reason, stage, have, need } = outcome;
  const detail = log.publish(outcome.detail);
  const { drops, seconds } = log;
  const record: RoundRecord = {
    round,
    outcome: "abandoned",
    reason,
    detail,
    invited,
    survivors: 0,
    drops,
    ...traffic,
    ...(virtual === undefined ? {} : { virtual }),
    ...(lostBefore === undefined ? {} : { lostBefore }),
    seconds,
    modelHash: hash,
    at,
  };
  recorder.emit("round.abandoned", { reason, stage, have, need, detail }, round);
  store.abandonRound({ round, record, events: recorder.take() });
}

function reportTrainingError(
  { recorder }: RunContext,
  log: RoundLog,
  round: number,
  device: DeviceId,
  error: unknown,
): void {
  // Of the program, not of a device: to go on without it would make the result depend on the host.
  if (error instanceof WorkerLost) throw error;
  const text = `${device} could not train: ${error instanceof Error ? error.message : String(error)}`;
  recorder.emit("log", { level: "error", text: log.publish(text) }, round);
}

/** A round that was lost because training gave no finite update will be lost again. */
function requireTrainable(log: RoundLog, invited: number): void {
  const nonFinite = log.trainingFailures.filter((code) => code === "non-finite-update").length;
  if (2 * nonFinite <= invited) return;
  throw new MurmurError(
    "non-finite-update",
    `${nonFinite} of ${invited} devices trained to values that are not finite, so the round was abandoned.`,
  );
}

/** No later round on this model can have more devices. */
function requireDevicesLeft({ outcome }: PlayedRound): void {
  if (outcome.kind !== "abandoned" || outcome.reason !== "model-exhausted") return;
  throw new MurmurError("model-exhausted", `The run cannot go on: ${outcome.detail}.`);
}

function requireFinite(parameters: ParameterVector): void {
  const index = firstNonFinite(parameters);
  if (index === -1) return;
  throw new MurmurError("non-finite-update", `Parameter ${index} of the new model is not a finite number.`);
}

function firstNonFinite(parameters: ParameterVector): number {
  for (let i = 0; i < parameters.length; i++) if (!Number.isFinite(parameters[i])) return i;
  return -1;
}
