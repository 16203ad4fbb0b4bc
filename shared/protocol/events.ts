import type { AbandonReason, DropReason, Stage } from "./reasons.ts";

/**
 * The event stream: what happens in a run, once, in order. The terminal's live view, the log lines, the run's folder
 * and the pages are views over it. Events carry counts and sums; never a secret, never a figure about one device.
 */
export interface Envelope<T extends string, P> {
  readonly v: 1;
  /** Position in the run's stream: 1, 2, 3, …, without gaps, across restarts. */
  readonly seq: number;
  /** Milliseconds since 1970, by the run's clock. */
  readonly t: number;
  /** The run's id. */
  readonly run: string;
  readonly round?: number;
  readonly type: T;
  readonly p: P;
}

/** Where what is seen comes from: every screen shows it. */
export interface Provenance {
  readonly kind: "live" | "replay" | "precomputed";
  readonly run: string;
  readonly configHash: string;
  readonly seed: number;
  readonly version: string;
  readonly git: string;
  /** ISO 8601, UTC. */
  readonly startedAt: string;
}

/** The configuration in as many words as a headline has room for. */
export interface RunSummary {
  readonly dataset: string;
  readonly partition: string;
  readonly model: string;
  /** Number of parameters. */
  readonly parameters: number;
  readonly classes: number;
  readonly devices: number;
  readonly cohort: number;
  readonly invited: number;
  readonly rounds: number;
  /** `none`: a simulation in which nothing was masked; its `fidelity` says how far it went. */
  readonly protection: "none" | "plaintext" | "curious-server" | "active-server";
  /** For the largest roster that a round can have; absent where nothing is masked. */
  readonly secagg?: {
    readonly graph: "complete" | "harary";
    readonly degree: number;
    readonly threshold: number;
    /** Ring width b. */
    readonly bits: number;
  };
  /** How much of the cryptography a simulation carries out; absent: all of it. */
  readonly fidelity?: "accounted" | "off";
  /** Warnings that stand on every view of the run, such as INSECURE-DETERMINISTIC. */
  readonly stamps: readonly string[];
}

/** What a fleet's grid shows of a device. */
export const DEVICE_STATES = [
  "idle",
  "eligible",
  "selected",
  "training",
  "trained",
  "masked",
  "summed",
  "lost",
] as const;
export type DeviceState = (typeof DEVICE_STATES)[number];

/** How many devices of the round have got how far. */
export interface StageCounts {
  readonly selected: number;
  readonly trained: number;
  readonly keyed: number;
  readonly masked: number;
  readonly shares: number;
  readonly lost: number;
}

/** One point of the charts over rounds. */
export interface SeriesPoint {
  readonly round: number;
  /** Test accuracy, 0 to 1; null where the round was not evaluated. */
  readonly acc: number | null;
  /** Test loss, nats; null where the round was not evaluated. */
  readonly loss: number | null;
  /** ε spent so far; null without differential privacy. */
  readonly eps: number | null;
  /** Updates in the sum. */
  readonly cohort: number;
  readonly lost: number;
  /** Bytes over all devices. */
  readonly up: number;
  readonly down: number;
  readonly ms: number;
}

export const RUN_STATUSES = ["running", "done", "interrupted", "failed", "diverged"] as const;
export type RunStatus = (typeof RUN_STATUSES)[number];

/** What each type of event carries. Add a line here to add one. */
export interface EventPayloads {
  readonly "run.started": { readonly provenance: Provenance; readonly summary: RunSummary };
  /** The numbers of rounds that an interruption spent: written, never committed. */
  readonly "run.resumed": { readonly spent: readonly number[] };
  readonly "run.done": {
    readonly status: Exclude<RunStatus, "running">;
    readonly rounds: number;
    readonly abandoned: number;
    readonly accuracy: number | null;
    readonly loss: number | null;
    readonly seconds: number;
    readonly modelHash: string;
  };
  /** While a round waits for its devices: let in, ready to be invited, worth waiting for, needed at least. */
  readonly "fleet.presence": {
    readonly connected: number;
    readonly waiting: number;
    readonly expected: number;
    readonly need: number;
    /** When it begins at the latest, milliseconds since 1970, once enough are there. */
    readonly until?: number;
  };
  readonly "round.started": { readonly invited: number };
  readonly "round.stage": { readonly stage: Stage; readonly expected: number; readonly counts: StageCounts };
  readonly "round.done": SeriesPoint & {
    readonly drops: Readonly<Partial<Record<DropReason, number>>>;
    readonly seconds: Readonly<Partial<Record<Stage, number>>>;
    readonly exact?: boolean;
    /** Euclidean norm of the mean update, noise included. */
    readonly updateNorm?: number;
    /** By the fleet's virtual clock, milliseconds: when the round began, and how long it took; absent without one. */
    readonly virtual?: { readonly at: number; readonly elapsed: number };
  };
  readonly "round.abandoned": {
    readonly reason: AbandonReason;
    readonly stage?: Stage;
    readonly have: number;
    readonly need: number;
    readonly detail?: string;
  };
  readonly "device.state": { readonly changes: readonly (readonly [id: string, state: DeviceState])[] };
  readonly "device.lost": {
    readonly id: string;
    readonly at: Stage;
    readonly reason: DropReason;
    readonly detail?: string;
  };
  readonly log: { readonly level: "info" | "warn" | "error"; readonly text: string };
}

export type EventType = keyof EventPayloads;
export type EventOf<T extends EventType> = Envelope<T, EventPayloads[T]>;
/** Any event, told apart by `type`. */
export type RunEvent = { [T in EventType]: EventOf<T> }[EventType];
