import type { Welcome } from "../shared/protocol/connection-messages.ts";
import { MurmurError } from "../shared/protocol/errors.ts";
import { FRAME_TYPES, frameType } from "../shared/protocol/frame.ts";
import type { SteadyClock } from "../shared/time/steady-clock.ts";
import {
  type ConnectionEffects,
  type ConnectionEnding,
  type ConnectionOptions,
  createDeviceConnection,
  type DeviceConnection,
} from "./connection.ts";
import type { DeviceOutcome, TrainingRequest } from "./device.ts";
import type { TrainingResult } from "./training/trainer.ts";
import type { FetchModel } from "./transport/shared-downloads.ts";
import type { Dial, Transport, TransportEnd } from "./transport/transport.ts";

/** What a connection needs of the world. */
export interface ConnectionPorts {
  readonly dial: Dial;
  readonly fetchModel: FetchModel;
  /**
   * Trains. `wanted` says whether the round still waits for it: a training that is not wanted when its turn comes is
   * skipped, and gives nothing.
   * @throws {MurmurError} when this device can never train
   */
  train(request: TrainingRequest, welcome: Welcome, wanted: () => boolean): Promise<TrainingResult | undefined>;
  readonly clock: SteadyClock;
}

export interface ConnectionObserver {
  onWelcomed(welcome: Welcome): void;
  onRound(number: number, outcome: DeviceOutcome): void;
  /** Something that a device survives: its engine failed, its model could not be fetched. */
  onTrouble(error: unknown): void;
  /** Once, last, never before {@link driveConnection} has returned. */
  onEnd(end: DrivenEnd): void;
}

export type DrivenEnd = (
  | ConnectionEnding
  | ({ readonly kind: "closed" } & TransportEnd)
  /** It was told to leave. */
  | { readonly kind: "left" }
  /** The program or its disk failed. */
  | { readonly kind: "failed"; readonly error: unknown }
) & {
  /** Milliseconds since the WELCOME, if there was one. */
  readonly lasted?: number;
};

export interface DrivenConnection {
  /** Ends it: goodbye is said after what was sent already. */
  leave(): void;
}

/**
 * Opens one connection and plays it to its end: frames between the transport and the state machine, its deadlines, its
 * downloads and trainings.
 */
export function driveConnection(
  options: ConnectionOptions,
  ports: ConnectionPorts,
  observer: ConnectionObserver,
): DrivenConnection {
  const { clock } = ports;
  let connection: DeviceConnection | undefined;
  let welcome: Welcome | undefined;
  let welcomedAt: number | undefined;
  let over = false;
  let timer: { readonly at: number; cancel(): void } | undefined;
  /** What the round waits for; a result of anything else comes too late. */
  let training: TrainingRequest | undefined;
  let fetching: object | undefined;

  function end(how: DrivenEnd, disconnect: (transport: Transport) => void): void {
    if (over) return;
    over = true;
    timer?.cancel();
    training = undefined;
    fetching = undefined;
    const round = connection?.closed().round;
    if (round !== undefined) observer.onRound(round.number, round.outcome);
    disconnect(transport);
    observer.onEnd(welcomedAt === undefined ? how : { ...how, lasted: clock.now() - welcomedAt });
  }

  /** Plays one step; whatever the program itself throws ends the connection, and nothing of the step leaves. */
  function step(act: (machine: DeviceConnection, now: number) => ConnectionEffects): void {
    if (over || connection === undefined) return;
    try {
      take(act(connection, clock.now()));
    } catch (error) {
      end({ kind: "failed", error }, (gone) => gone.destroy());
    }
  }

  function take({ send, fetch, train, welcomed, round, end: ending }: ConnectionEffects): void {
    if (welcomed !== undefined) {
      welcome = welcomed;
      welcomedAt = clock.now();
      observer.onWelcomed(welcomed);
    }
    for (const frame of send) transport.send(frame);
    if (round !== undefined) {
      training = undefined;
      fetching = undefined;
      observer.onRound(round.number, round.outcome);
    }
    if (ending !== undefined) {
      end(ending, ending.kind === "broken" ? (gone) => gone.destroy() : (gone) => gone.close());
      return;
    }
    if (fetch !== undefined) void fetchModel(fetch.hash, fetch.bytes);
    if (train !== undefined && welcome !== undefined) void trainModel(train, welcome);
    arm();
  }

  async function fetchModel(hash: Uint8Array, bytes: number): Promise<void> {
    const mine = {};
    fetching = mine;
    try {
      const model = await ports.fetchModel(hash, bytes);
      if (fetching === mine) step((machine, now) => machine.fetched(now, model));
    } catch (error) {
      if (fetching !== mine) return;
      observer.onTrouble(error);
      step((machine, now) => machine.fetchFailed(now));
    }
  }

  async function trainModel(request: TrainingRequest, place: Welcome): Promise<void> {
    training = request;
    const wanted = () => training === request;
    try {
      const result = await ports.train(request, place, wanted);
      if (result !== undefined && wanted()) step((machine, now) => machine.trained(now, result));
    } catch (error) {
      if (!wanted()) return;
      if (error instanceof MurmurError) {
        end({ kind: "failed", error }, (gone) => gone.close());
        return;
      }
      observer.onTrouble(error);
      step((machine, now) => machine.trainingFailed(now));
    }
  }

  /** Sets the one timer to the machine's next deadline. */
  function arm(): void {
    const at = connection?.deadline;
    if (over || at === timer?.at) return;
    timer?.cancel();
    timer = at === undefined ? undefined : { at, cancel: clock.after(Math.max(0, at - clock.now()), ring) };
  }

  function ring(): void {
    timer = undefined;
    step((machine, now) => machine.tick(now));
  }

  const transport = ports.dial({
    opened() {
      connection = createDeviceConnection(clock.now(), options);
      arm();
    },
    frame(bytes) {
      // A round's deadlines are differences of times: the clock follows the machine's only while there are none.
      if (connection?.idle && frameType(bytes) === FRAME_TYPES.configure) clock.anchor();
      step((machine, now) => machine.receive(now, bytes));
    },
    heard() {
      connection?.heard(clock.now());
    },
    ended: (how) => end({ kind: "closed", ...how }, () => undefined),
  });

  return { leave: () => end({ kind: "left" }, (gone) => gone.close()) };
}
