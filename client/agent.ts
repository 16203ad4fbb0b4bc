import type { RefusedMessage, Welcome } from "../shared/protocol/connection-messages.ts";
import type { ErrorName } from "../shared/protocol/error-catalogue.ts";
import { MurmurError } from "../shared/protocol/errors.ts";
import type { Refusal } from "../shared/protocol/reasons.ts";
import { createBackOff, drawReturn } from "./back-off.ts";
import type { ConnectionOptions } from "./connection.ts";
import { type ConnectionPorts, type DrivenConnection, type DrivenEnd, driveConnection } from "./connection-driver.ts";
import type { DeviceOutcome } from "./device.ts";
import { plainText } from "./transport/answers.ts";
import { UnavailableError } from "./transport/unavailable.ts";

/**
 * The life of one device, from its start until it is stopped, the run is over, or it is refused for good.
 *
 * ```
 *  enrolling ─► connected ─► paced: away until its window ─┐
 *      ▲  ▲         └──────► lost: away, longer each time ─┤
 *      │  └────────────────────────────────────────────────┘
 *      └── not enrolled (any more): once
 * ```
 */
export interface Agent {
  /** Says goodbye and ends. */
  stop(): void;
  /** Rejects only for an error of the program itself. */
  readonly ended: Promise<AgentOutcome>;
}

export type AgentOutcome =
  | { readonly kind: "stopped" }
  /** The run is over. */
  | { readonly kind: "finished"; readonly message: string }
  | { readonly kind: "refused"; readonly error: MurmurError; readonly reason?: Refusal };

export interface AgentOptions extends ConnectionOptions, ConnectionPorts {
  /**
   * Enrols this device's key, where there is a join token. `again`: what was enrolled earlier is not known any more.
   * @throws {UnavailableError} when trying again may help
   * @throws {MurmurError} what the coordinator says of the token
   */
  readonly enrol?: (again: boolean) => Promise<void>;
  /** Uniform in [0, 1), for back-off and return. */
  readonly uniform: () => number;
  report(progress: AgentProgress): void;
}

export type AgentProgress =
  | { readonly kind: "welcomed"; readonly name: string }
  | { readonly kind: "round"; readonly number: number; readonly outcome: DeviceOutcome }
  /** Not connected: it comes back by itself. */
  | { readonly kind: "away"; readonly reason: string; readonly milliseconds: number }
  | { readonly kind: "trouble"; readonly error: unknown };

/** Milliseconds that a connection lasts before the next failure counts as the first. */
const LASTING = 10_000;
/** A timer holds no longer wait than 2^31 − 1 ms; longer ones take several. */
const LONGEST_TIMER = 86_400_000;

export function startAgent(options: AgentOptions): Agent {
  const { clock, uniform, report } = options;
  const backOff = createBackOff(uniform);
  let over = false;
  let cancelWait: () => void = () => undefined;
  let connection: DrivenConnection | undefined;
  /** Whether to try to enrol before the next connection. */
  let enrolment: "wanted" | "wanted-again" | "tried" = options.enrol === undefined ? "tried" : "wanted";
  /** Enrolling is tried once more for a coordinator that has forgotten the device, and not over and over. */
  let triedAgain = false;
  /** Why enrolling failed; it matters only once the coordinator does not know the device. */
  let enrolmentError: MurmurError | undefined;
  let settle: (outcome: AgentOutcome) => void = () => undefined;
  let fail: (error: unknown) => void = () => undefined;
  const ended = new Promise<AgentOutcome>((resolve, reject) => {
    settle = resolve;
    fail = reject;
  });

  function finish(outcome: AgentOutcome): void {
    over = true;
    cancelWait();
    settle(outcome);
  }

  function crash(error: unknown): void {
    if (error instanceof MurmurError) {
      finish({ kind: "refused", error });
      return;
    }
    over = true;
    cancelWait();
    fail(error);
  }

  function approach(): void {
    if (over) return;
    if (enrolment === "tried" || options.enrol === undefined) connect();
    else void enrol(options.enrol, enrolment === "wanted-again");
  }

  async function enrol(enrolDevice: NonNullable<AgentOptions["enrol"]>, again: boolean): Promise<void> {
    try {
      await enrolDevice(again);
      enrolmentError = undefined;
    } catch (error) {
      if (over) return;
      if (error instanceof UnavailableError) {
        stayAway(error.message, error.retryAfter);
        return;
      }
      if (!(error instanceof MurmurError)) {
        crash(error);
        return;
      }
      // A token that is used up or too old does not matter to a device that is enrolled already.
      enrolmentError = error;
    }
    enrolment = "tried";
    if (!over) connect();
  }

  function connect(): void {
    connection = driveConnection(options, options, {
      onWelcomed({ device }: Welcome) {
        triedAgain = false;
        report({ kind: "welcomed", name: plainText(device) });
      },
      onRound: (number, outcome) => report({ kind: "round", number, outcome }),
      onTrouble: (error) => report({ kind: "trouble", error }),
      onEnd,
    });
  }

  function onEnd(end: DrivenEnd): void {
    connection = undefined;
    if (over) return;
    if (end.lasted !== undefined && end.lasted >= LASTING) backOff.reset();
    switch (end.kind) {
      case "left":
        finish({ kind: "stopped" });
        break;
      case "failed":
        crash(end.error);
        break;
      case "vanished":
        approach();
        break;
      case "paced":
        away("the coordinator asked it to come later", drawReturn(end.window, uniform));
        break;
      case "refused":
        refused(end);
        break;
      case "broken":
        stayAway(end.detail);
        break;
      case "closed":
        if (end.error === undefined) stayAway(end.detail, end.retryAfter);
        else crash(end.error);
        break;
    }
  }

  function refused({ reason, message, window }: RefusedMessage): void {
    if (reason === "finished") {
      finish({ kind: "finished", message: plainText(message) });
    } else if (window !== undefined) {
      away(plainText(message), drawReturn(window, uniform));
    } else if (
      reason === "not-enrolled" &&
      options.enrol !== undefined &&
      enrolmentError === undefined &&
      !triedAgain
    ) {
      triedAgain = true;
      enrolment = "wanted-again";
      approach();
    } else {
      const error =
        reason === "not-enrolled" && enrolmentError !== undefined
          ? enrolmentError
          : new MurmurError(REFUSAL_ERRORS[reason] ?? "device-refused", plainText(message));
      finish({ kind: "refused", error, reason });
    }
  }

  /** After a failure: longer each time, and as long as the coordinator asked for. */
  function stayAway(reason: string, retryAfter = 0): void {
    away(reason, retryAfter + backOff.next());
  }

  function away(reason: string, milliseconds: number): void {
    if (over) return;
    report({ kind: "away", reason, milliseconds });
    const until = clock.now() + milliseconds;
    // A timer may ring early, and a device never comes before it was told to.
    const wait = () => {
      const left = until - clock.now();
      if (left <= 0) approach();
      else cancelWait = clock.after(Math.min(Math.ceil(left), LONGEST_TIMER), wait);
    };
    wait();
  }

  approach();
  return {
    stop() {
      if (over) return;
      if (connection === undefined) finish({ kind: "stopped" });
      else connection.leave();
    },
    ended,
  };
}

/** The error that a refusal ends a device with, where it is not `device-refused`. */
const REFUSAL_ERRORS: Partial<Record<Refusal, ErrorName>> = {
  "not-enrolled": "token-missing",
  revoked: "device-revoked",
  uncertified: "device-uncertified",
  replaced: "device-duplicate",
};
