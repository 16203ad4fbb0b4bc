import type { CryptoProvider } from "../../shared/crypto/provider.ts";
import type { RunStatus } from "../../shared/protocol/events.ts";
import type { Refusal, Stage } from "../../shared/protocol/reasons.ts";
import type { Clock } from "../../shared/time/clock.ts";
import type { StopRequest } from "../../shared/time/stop-signal.ts";
import type { Registry } from "../enrolment/registry.ts";
import type { EventFeed } from "./event-feed.ts";
import type { Metrics } from "./metrics.ts";
import type { OwnNames } from "./own-names.ts";

export const PROTECTION_LEVELS = ["plaintext", "curious-server", "active-server"] as const;
export type ProtectionLevel = (typeof PROTECTION_LEVELS)[number];

/** What the coordinator is doing, in figures that anyone may see. */
export interface StatusView {
  readonly run: string;
  readonly population: string;
  readonly level: ProtectionLevel;
  /** The protocol's version. */
  readonly protocol: number;
  readonly status: RunStatus;
  /** The round that is under way, or else the last; 0 before the first. */
  readonly round: number;
  /** Null between rounds. */
  readonly stage: Stage | null;
  /** Rounds committed so far. */
  readonly committed: number;
  /** Rounds that the run is to commit. */
  readonly rounds: number;
  readonly devices: {
    readonly enrolled: number;
    readonly connected: number;
    /** Connected, eligible and in no round. */
    readonly waiting: number;
    /** As many must wait before a round starts. */
    readonly needed: number;
  };
  /** The model that the next round starts from. */
  readonly model: { readonly hash: string; readonly bytes: number } | null;
  /** ISO 8601, UTC. */
  readonly startedAt: string;
  /** The program's. */
  readonly version: string;
}

/** What the HTTP interface needs of the coordinator. */
export interface Services {
  readonly run: string;
  readonly population: string;
  readonly level: ProtectionLevel;
  readonly version: string;
  readonly provider: CryptoProvider;
  readonly clock: Clock;
  readonly registry: Registry;
  readonly feed: EventFeed;
  readonly metrics: Metrics;
  readonly names: OwnNames;
  status(): StatusView;
  readonly models: {
    /** The little-endian bytes of the parameters whose SHA-256 this is, hexadecimal. They must not change any more. */
    get(hash: string): Uint8Array | undefined;
  };
  readonly devices: {
    waiting(): number;
    /** False when no such device is connected. */
    disconnect(publicKey: string, reason: Refusal, message: string): boolean;
  };
  stop(request: Exclude<StopRequest, "none">): void;
  /** Why the coordinator cannot serve devices now; empty when it can. */
  ready(): string[];
}
