import type { CryptoProvider, X25519Key } from "../../shared/crypto/provider.ts";
import type { SecAggAgreement } from "../../shared/secagg/agreement.ts";
import type { Certificate } from "../../shared/secagg/certificates.ts";
import type { SharingGraph } from "../../shared/secagg/graph.ts";
import type { RosterEntry } from "../../shared/secagg/messages/roster-entry.ts";
import type { UploadJournal } from "./journal.ts";
import type { DevicePolicy } from "./policy.ts";

/** The device's enrolled Ed25519 identity. */
export interface DeviceIdentity {
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  sign(message: Uint8Array): Uint8Array;
  /** At `active-server`. */
  readonly certificate?: Certificate;
}

export interface ClientSecAggOptions {
  readonly provider: CryptoProvider;
  readonly agreement: SecAggAgreement;
  readonly identity: DeviceIdentity;
  /** The pinned enrolment authority's Ed25519 key: level `active-server`. */
  readonly authority?: Uint8Array;
  readonly policy: DevicePolicy;
  /** The ring vector, d coordinates. The session takes it over. */
  readonly input: Int32Array;
  readonly journal: UploadJournal;
  /** For the certificates' expiry. */
  readonly nowSeconds: number;
}

/** What a session holds in each phase. A later phase has what the earlier ones had and still need, and no more. */
export type ClientState =
  | { readonly phase: "ready" }
  | AdvertisedState
  | SharedState
  | MaskedState
  | ConfirmedState
  | UnmaskedState
  | { readonly phase: "done" }
  | { readonly phase: "aborted" };
export type ClientPhase = ClientState["phase"];

/** After ADVERTISE: waits for ROSTER. */
export interface AdvertisedState {
  readonly phase: "advertised";
  readonly context: Uint8Array;
  readonly own: RosterEntry;
  readonly channel: X25519Key;
  readonly mask: X25519Key;
}

/** What the roster gives to all later phases. */
export interface Session {
  readonly sid: Uint8Array;
  readonly entries: readonly RosterEntry[];
  readonly graph: SharingGraph;
  /** Own index. */
  readonly index: number;
  /** A: corrupted devices that the graph stands. */
  readonly corruptedTolerated: number;
}

/** After SHARES: waits for SHARES_FWD. */
export interface SharedState {
  readonly phase: "shared";
  readonly session: Session;
  /** chan_{v→u} by neighbour v, ascending: what opens the box that v seals. c_u itself is gone. */
  readonly incoming: ReadonlyMap<number, Uint8Array>;
  readonly mask: X25519Key;
  /** b_u, 32 bytes. */
  readonly seed: Uint8Array;
}

/** The two shares that a neighbour entrusted to this device. */
export interface HeldShares {
  readonly seed: Uint8Array;
  readonly maskKey: Uint8Array;
}

/** After MASKED: waits for SURVIVORS. The own secrets are gone; the neighbours' shares remain. */
export interface MaskedState {
  readonly phase: "masked";
  readonly session: Session;
  /** U2. */
  readonly sharing: ReadonlySet<number>;
  /** By neighbour in U2; a neighbour whose box did not open has none. */
  readonly held: ReadonlyMap<number, HeldShares>;
}

/** After ACK: waits for ACKS. */
export interface ConfirmedState {
  readonly phase: "confirmed";
  readonly session: Session;
  readonly sharing: ReadonlySet<number>;
  readonly held: ReadonlyMap<number, HeldShares>;
  /** U3. */
  readonly survivors: ReadonlySet<number>;
  /** What this device signed: its view of U2 and U3. */
  readonly view: Uint8Array;
}

/** After UNMASK: waits for DONE, with nothing secret left. */
export interface UnmaskedState {
  readonly phase: "unmasked";
  readonly session: Session;
  /** |U3| */
  readonly survivors: number;
}
