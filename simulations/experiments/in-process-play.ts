import type { Device, TrainingRequest } from "../../client/device.ts";
import type { DeviceMemory } from "../../client/memory.ts";
import type { EarlierModel, TrainingResult } from "../../client/training/trainer.ts";
import { type Broadcast, type FederatedTask, type OpenRound, openRound } from "../../server/task.ts";
import type { CryptoProvider } from "../../shared/crypto/provider.ts";
import { encodeDecline } from "../../shared/protocol/control-messages.ts";
import type { DeviceId } from "../../shared/protocol/ids.ts";
import { rosterParameters } from "../../shared/secagg/roster-graph.ts";
import { type CountedRound, countedRound, type Fidelity, sumsWhereTrained } from "../fleet/counting/counted-round.ts";
import { type InProcessRoundOptions, runInProcess, type TrainingOrder } from "../fleet/in-process-round.ts";
import type { Loss, RoundScript } from "../fleet/round-director.ts";
import { NO_UPDATE, trainingDesk } from "../fleet/round-training.ts";
import type { TrainingPool } from "../fleet/training/training-pool.ts";
import { type PlayedRound, type RoundObserver, summedOutcome } from "./federation.ts";
import { plainSumEquals } from "./oracle.ts";

/** What stays the same over the rounds of a run in one process. */
export interface PlaySetting {
  readonly provider: CryptoProvider;
  readonly task: FederatedTask;
  readonly fidelity: Fidelity;
  readonly seed: number;
  readonly pool: TrainingPool;
  /** A device with secrets of its own, and its place in the fleet. */
  device(id: DeviceId): Device;
  indexOf(id: DeviceId): number;
  memoryOf(id: DeviceId): DeviceMemory;
  /** What each device of the round has masked, if it has secrets: for the comparison with the plain sum. */
  readonly inputs: Map<DeviceId, Int32Array>;
}

/** One round, and what is going to happen in it. */
export interface RoundToPlay {
  readonly number: number;
  readonly broadcast: Broadcast;
  readonly invited: readonly DeviceId[];
  readonly script: RoundScript;
  lost(id: DeviceId): Loss | undefined;
  /** Whether it only pads the roster: it is in the round like any other, with a zero update. */
  isPad(id: DeviceId): boolean;
  /** Where a device began that trained before the round. */
  earlier(id: DeviceId): EarlierModel | undefined;
}

/**
 * Plays a round twice: first without training and without secrets, which shows whose updates will be in the sum, then in
 * earnest. Exactly those devices train: nobody could tell the difference but by the electricity.
 */
export async function playInProcess(
  setting: PlaySetting,
  round: RoundToPlay,
  observer: RoundObserver,
): Promise<PlayedRound> {
  const foreseen = await rehearse(setting, round, observer);
  const { fidelity, inputs } = setting;
  inputs.clear();
  const isReal = fidelity === "real";
  const opened = open(
    setting,
    round,
    observer,
    isReal ? undefined : (session) => counted.createSecAgg(session),
    observer.beforeMasks,
  );
  const { configuration } = opened;
  const { agreement } = configuration;
  const counted = count(setting, round, opened, "played");
  const isSummedInPlace = !isReal && sumsWhereTrained(configuration);
  const desk = trainingDesk(setting.pool, round.number, setting.indexOf, isSummedInPlace ? agreement : undefined);
  const trained = new Set<DeviceId>();
  let hasFailed = foreseen === UNFORESEEABLE;

  async function train(order: TrainingOrder): Promise<TrainingResult> {
    if (round.isPad(order.id)) return { ...untrained(order.request, isSummedInPlace), pads: true };
    // After a failure others may take the failed one's place: then whoever says that it has trained has to have.
    if (!foreseen.has(order.id) && !hasFailed) return untrained(order.request, isSummedInPlace);
    try {
      const result = await desk.train(withEarlier(round, order));
      trained.add(order.id);
      return result;
    } catch (error) {
      hasFailed = true;
      throw error;
    }
  }

  const halt = haltOf(observer);
  try {
    const ran = await runInProcess({
      ...stage(setting, round, opened, observer),
      ...(isReal
        ? { device: setting.device, bytesOf: (frame: Uint8Array) => frame.length, model: () => opened.model.slice() }
        : { device: counted.device, bytesOf: counted.bytesOf, model: () => opened.model }),
      onOrders: (orders) =>
        desk.prepare(
          orders.filter(({ id }) => foreseen.has(id) && !round.isPad(id)).map((order) => withEarlier(round, order)),
        ),
      train,
      onTrainingError: observer.onTrainingError,
      onFacts: observer.onFacts,
      breathe: observer.breathe,
      stopped: () => observer.stop.request === "now",
      halted: halt.halted,
    });
    const outline = {
      invited: round.invited.length,
      traffic: { bytesUp: ran.bytesUp, bytesDown: ran.bytesDown },
      ...(round.script.at === undefined ? {} : { virtual: { at: round.script.at, elapsed: ran.elapsed } }),
    };
    const { result, abandoned } = opened.round;
    if (result === undefined) {
      if (abandoned === undefined) throw new Error("a round that is over has a sum, or a reason");
      return { ...outline, outcome: { kind: "abandoned", ...abandoned } };
    }
    const { survivors } = result;
    const contributors = survivors.filter((id) => !round.isPad(id));
    const sum = isSummedInPlace ? await desk.sum(contributors) : result.sum;
    const missing = contributors.find((id) => !isSummedInPlace && !trained.has(id));
    if (missing !== undefined) throw new Error(`${missing} is in the sum and has not trained`);
    // Where nothing was masked there is nothing to compare.
    const exact = isReal ? plainSumEquals(sum, survivors, inputs, agreement.bits) : undefined;
    return {
      ...outline,
      outcome: summedOutcome(opened.decode(sum, survivors.length, contributors.length), survivors, exact),
    };
  } finally {
    halt.forget();
    desk.end();
    inputs.clear();
  }
}

/** Stands for the training of a device whose update is not going to be in the sum. A device may overwrite it. */
function untrained({ parameters }: TrainingRequest, isUnread: boolean): TrainingResult {
  return isUnread ? NO_UPDATE : { ...NO_UPDATE, parameters: parameters.slice() };
}

const UNFORESEEABLE: ReadonlySet<DeviceId> = new Set();

/**
 * Who will be in the round's sum if every training succeeds; nobody, where it will be abandoned. Who lacks shares on a
 * sparse graph depends on places that keys draw, and is not foreseen.
 */
async function rehearse(
  setting: PlaySetting,
  round: RoundToPlay,
  observer: RoundObserver,
): Promise<ReadonlySet<DeviceId>> {
  const opened = open(setting, round, observer, (session) => counted.createSecAgg(session));
  const counted = count(setting, round, opened, "rehearsed");
  await runInProcess({
    ...stage(setting, round, opened, observer),
    device: counted.device,
    bytesOf: counted.bytesOf,
    model: () => opened.model,
    onOrders() {},
    train: async () => NO_UPDATE,
    onTrainingError() {},
    onFacts() {},
    breathe: async () => {},
    stopped: () => false,
    halted: new Promise(() => {}),
  });
  const { result, abandoned } = opened.round;
  const parameters = rosterParameters(opened.configuration.agreement, round.invited.length);
  const isSparse = parameters.ok && parameters.graph !== "complete";
  if (abandoned?.reason === "too-few-shares" && isSparse) return UNFORESEEABLE;
  return new Set(result?.survivors);
}

function open(
  { provider, task }: PlaySetting,
  { number, broadcast, invited }: RoundToPlay,
  { startsAt }: RoundObserver,
  createSecAgg: CountedRound["createSecAgg"] | undefined,
  beforeMasks: RoundObserver["beforeMasks"] = () => {},
): OpenRound {
  const nowSeconds = Math.floor(startsAt / 1000);
  const options = { beforeMasks, ...(createSecAgg === undefined ? {} : { createSecAgg }) };
  return openRound(provider, task, number, broadcast, invited, nowSeconds, options);
}

function count(
  { fidelity, seed, memoryOf }: PlaySetting,
  { number, broadcast }: RoundToPlay,
  { configuration, binding }: OpenRound,
  as: "rehearsed" | "played",
): CountedRound {
  return countedRound({
    fidelity: fidelity === "off" ? "off" : "accounted",
    configuration,
    binding,
    broadcast: broadcast.values,
    seed,
    round: number,
    isRehearsal: as === "rehearsed",
    memoryOf,
  });
}

/** What is the same in a rehearsal. */
function stage(
  { task, indexOf }: PlaySetting,
  { script, lost }: RoundToPlay,
  { round, binding }: OpenRound,
  { startsAt }: RoundObserver,
): Pick<InProcessRoundOptions, "round" | "lost" | "decline" | "pace" | "uploadDeadline" | "startsAt"> {
  const { pace } = script;
  return {
    round,
    lost,
    decline: (code) => encodeDecline(binding, code),
    uploadDeadline: task.deadlines.exchange,
    startsAt: script.at ?? startsAt,
    ...(pace === undefined
      ? {}
      : {
          pace: {
            trained: (id, bytes) => pace.trained(indexOf(id)) + pace.answer(indexOf(id), bytes, false),
            answer: (id, stage, bytes) =>
              stage === "configure" ? pace.accepted(indexOf(id)) : pace.answer(indexOf(id), bytes, stage === "mask"),
          },
        }),
  };
}

function withEarlier({ earlier }: RoundToPlay, order: TrainingOrder): TrainingOrder {
  const began = earlier(order.id);
  return began === undefined ? order : { ...order, earlier: began };
}

/** A promise that settles when the run is to stop at once. */
function haltOf({ stop }: RoundObserver): { readonly halted: Promise<unknown>; forget(): void } {
  let forget = (): void => {};
  const halted = new Promise<void>((resolve) => {
    forget = stop.onChange((request) => {
      if (request === "now") resolve();
    });
  });
  return { halted, forget: () => forget() };
}
