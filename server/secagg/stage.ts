import type { CryptoProvider } from "../../shared/crypto/provider.ts";
import { encodeFrame, type FrameHeader, type FrameType, NO_INDEX } from "../../shared/protocol/frame.ts";
import type { DeviceId } from "../../shared/protocol/ids.ts";
import type { AbandonReason, DropReason } from "../../shared/protocol/reasons.ts";
import type { SecAggAgreement } from "../../shared/secagg/agreement.ts";
import type { SharingGraph } from "../../shared/secagg/graph.ts";
import type { AgreedParameters } from "../../shared/secagg/graph-parameters.ts";
import type { RosterEntry } from "../../shared/secagg/messages/roster-entry.ts";
import type { CertificateCache } from "./certificate-cache.ts";

export interface ServerSecAggOptions {
  readonly provider: CryptoProvider;
  readonly agreement: SecAggAgreement;
  /** The pinned enrolment authority's Ed25519 key, at `active-server`. */
  readonly authority?: Uint8Array;
  /** Certificates that were verified in earlier rounds; without it each session verifies them anew. */
  readonly certificates?: CertificateCache;
  /** For the certificates' expiry. */
  readonly nowSeconds: number;
  readonly invited: readonly DeviceId[];
  /** The key that a device's connection was authenticated with: it takes part under this one, or not at all. */
  identityOf?(device: DeviceId): Uint8Array | undefined;
  /** Least number of devices with which exchange 0 may end. */
  readonly quorum: number;
}

export type ExchangeStage = "keys" | "shares" | "mask" | "confirm" | "unmask";

/**
 * One exchange on the coordinator: collects an answer from each device it waits for, and closes once, atomically, into
 * the next. What closes is decided by who answered by then; a later answer finds another stage and is discarded.
 */
export interface ServerStage {
  readonly name: ExchangeStage;
  /** What frames of this stage are bound to: ctx before the roster is closed, sid and an index afterwards. */
  readonly roster: Roster | undefined;
  readonly waitingFor: ReadonlySet<DeviceId>;
  /** @throws {DeviceFault} when the device has to be dropped; {EncodingError} when the body does not parse. */
  receive(device: DeviceId, header: FrameHeader, body: Uint8Array): void;
  /** The device is dropped or gone: what it gave so far counts only where it cannot be taken back. */
  leave(device: DeviceId): void;
  close(): Transition;
}

export type Transition =
  | { readonly kind: "next"; readonly stage: ServerStage; readonly send: readonly Outgoing[] }
  | { readonly kind: "done"; readonly result: SecAggResult; readonly send: readonly Outgoing[] }
  | ({ readonly kind: "abandoned" } & SecAggAbandoned);

export interface Outgoing {
  readonly to: DeviceId;
  readonly frame: Uint8Array;
}

export interface SecAggResult {
  /** The sum over the survivors, signed, d coordinates. */
  readonly sum: Int32Array;
  readonly survivors: readonly DeviceId[];
  readonly resultHash: Uint8Array;
}

export interface SecAggAbandoned {
  readonly reason: AbandonReason;
  readonly have: number;
  readonly need: number;
  /** For the operator. */
  readonly detail: string;
}

/** A device that broke the protocol: it is dropped, not the round. */
export class DeviceFault extends Error {
  override readonly name = "DeviceFault";
  readonly reason: DropReason;

  constructor(reason: DropReason, detail: string) {
    super(detail);
    this.reason = reason;
  }
}

/** A share that proved wrong: of the two, one lied, and nobody can tell which. */
export interface SuspectPair {
  readonly dealer: DeviceId;
  readonly holder: DeviceId;
}

/** What all stages of a session share. */
export interface StageContext {
  readonly options: ServerSecAggOptions;
  /** ctx */
  readonly context: Uint8Array;
  /** Whether a device is still reachable and in good standing. */
  isPresent(device: DeviceId): boolean;
  suspect(pair: SuspectPair): void;
  adopt(parameters: AgreedParameters): void;
}

/** The closed roster, U1, with what is derived from it. */
export interface Roster {
  readonly sid: Uint8Array;
  readonly entries: readonly RosterEntry[];
  readonly graph: SharingGraph;
  readonly parameters: AgreedParameters;
  /** By index. */
  readonly devices: readonly DeviceId[];
  readonly indexOf: ReadonlyMap<DeviceId, number>;
}

export function outgoing(
  { options }: StageContext,
  to: DeviceId,
  type: FrameType,
  binding: Uint8Array,
  body: Uint8Array,
): Outgoing {
  const header = { type, flags: 0, roundId: options.agreement.roundId, binding, sender: NO_INDEX, sequence: 0 };
  return { to, frame: encodeFrame(header, body) };
}

/** The index of a device that is in the roster. */
export function rosterIndex(roster: Roster, device: DeviceId): number {
  const index = roster.indexOf.get(device);
  if (index === undefined) throw new Error(`${device} is not in the roster`);
  return index;
}
