import type { RunStore } from "../../server/store/run-store.ts";
import type { CryptoProvider } from "../../shared/crypto/provider.ts";
import type { RunEvent } from "../../shared/protocol/events.ts";
import type { Transport } from "../../shared/protocol/run-meta.ts";
import type { StopSignal } from "../../shared/time/stop-signal.ts";
import type { RunConfig } from "./config.ts";
import type { EventRecorder } from "./event-recorder.ts";
import type { Federation } from "./federation.ts";
import type { RunStamp } from "./run-stamp.ts";

export interface RunOptions {
  readonly config: RunConfig;
  /** runs/<id> */
  readonly folder: string;
  readonly runId: string;
  /** Goes on with the run that the folder holds. */
  readonly resume: boolean;
  readonly stamp: RunStamp;
  readonly provider: CryptoProvider;
  onEvent(event: RunEvent): void;
  readonly stop: StopSignal;
  /** Milliseconds since the epoch. */
  clock(): number;
  /** Lets the process's other events in: signals, drawing. */
  breathe(): Promise<void>;
  /** Where the devices are. */
  readonly transport: Transport;
  /** Brings them. */
  readonly federate: Federate;
  /** Milliseconds since some moment, by a clock that nobody sets: for durations. */
  stopwatch(): number;
}

/** Prepares the experiment and its devices, in the run's open folder. */
export type Federate = (run: FederateContext) => Promise<Federation>;

export interface FederateContext extends Pick<RunOptions, "config" | "provider" | "folder" | "runId"> {
  /** 16 bytes. */
  readonly taskId: Uint8Array;
  readonly store: RunStore;
  clock(): number;
  /** Something that whoever runs it should know: it becomes an event of the run. */
  warn(text: string): void;
}

/** What a run's parts share while it runs. */
export interface RunContext {
  readonly options: RunOptions;
  readonly store: RunStore;
  readonly federation: Federation;
  readonly recorder: EventRecorder;
}
