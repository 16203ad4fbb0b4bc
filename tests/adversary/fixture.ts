import type { DevicePolicy } from "../../client/secagg/policy.ts";
import type { ClientSecAggOptions } from "../../client/secagg/state.ts";
import type { ServerSecAggOptions } from "../../server/secagg/session.ts";
import { compareBytes } from "../../shared/crypto/bytes.ts";
import { cryptoProvider as nodeProvider } from "../../shared/crypto/node-provider.ts";
import type { CryptoProvider, Ed25519Key } from "../../shared/crypto/provider.ts";
import {
  decodeFrame,
  encodeFrame,
  FRAME_TYPES,
  type FrameHeader,
  type FrameTypeName,
  frameType,
} from "../../shared/protocol/frame.ts";
import type { DeviceId } from "../../shared/protocol/ids.ts";
import type { SecAggAgreement } from "../../shared/secagg/agreement.ts";
import { type Certificate, issueCertificate } from "../../shared/secagg/certificates.ts";
import { decodeRoster } from "../../shared/secagg/messages/exchanges.ts";
import type { RosterEntry } from "../../shared/secagg/messages/roster-entry.ts";
import {
  type Carriage,
  clientOf,
  createTestSession,
  deviceName,
  NOW_SECONDS,
  sharedVerification,
  type TestSession,
  testPolicy,
} from "../secagg/session-harness.ts";

/** One provider for all tests that do not look at the provider: a signature is verified once, by whoever comes first. */
export const quickProvider: CryptoProvider = sharedVerification(nodeProvider);

/** A session whose long-term keys the test knows, so that it can play a corrupted device or coordinator. */
export interface AttackedSession extends TestSession {
  /** By device number. */
  readonly identities: readonly Ed25519Key[];
  /** Roster indices by device number, when everyone is in the roster. */
  readonly indices: readonly number[];
  /** At `active-server`. */
  readonly authority: Ed25519Key | undefined;
}

export interface AttackedSessionOptions {
  readonly size: number;
  readonly agreement?: Partial<SecAggAgreement>;
  readonly policy?: Partial<DevicePolicy>;
  /** Level `active-server`. */
  readonly certified?: boolean;
  readonly quorum?: number;
  readonly provider?: (device: number) => CryptoProvider;
  readonly input?: (device: number, agreement: SecAggAgreement) => Int32Array;
  readonly device?: (device: number) => Partial<ClientSecAggOptions>;
  readonly server?: Partial<ServerSecAggOptions>;
  /** Makes the long-term keys; from the system's randomness by default. */
  readonly identity?: (device: number) => Ed25519Key;
}

export function attackedSession(options: AttackedSessionOptions): AttackedSession {
  const { size, certified = false, identity = () => quickProvider.generateEd25519() } = options;
  const identities = Array.from({ length: size }, (_, i) => identity(i));
  const authority = certified ? quickProvider.generateEd25519() : undefined;
  const population = options.agreement?.population ?? "test";
  const expiry = NOW_SECONDS + 3600;
  const certificates: (Certificate | undefined)[] = identities.map(
    ({ publicKey }) => authority && issueCertificate(authority, population, publicKey, expiry),
  );
  const pinned = authority === undefined ? {} : { authority: authority.publicKey };
  const session = createTestSession({
    size,
    agreement: { dimension: 8, ...(certified ? { level: "active-server" as const } : {}), ...options.agreement },
    policy: testPolicy(options.policy),
    provider: options.provider ?? (() => quickProvider),
    ...(options.quorum === undefined ? {} : { quorum: options.quorum }),
    ...(options.input === undefined ? {} : { input: options.input }),
    serverProvider: quickProvider,
    server: { ...pinned, ...options.server },
    device: (i) => {
      const certificate = certificates[i];
      const { publicKey, sign } = identities[i];
      return {
        ...pinned,
        identity: { publicKey, sign, ...(certificate === undefined ? {} : { certificate }) },
        ...options.device?.(i),
      };
    },
  });
  const ranked = identities.map((_, i) => i).sort((a, b) => compareBytes(key(a), key(b)));
  function key(device: number): Uint8Array {
    return identities[device].publicKey;
  }
  return { ...session, identities, indices: identities.map((_, i) => ranked.indexOf(i)), authority };
}

/** The same frame with another body, or with fields of its header changed. */
export function reframe(frame: Uint8Array, body?: Uint8Array, header: Partial<FrameHeader> = {}): Uint8Array {
  const decoded = decodeFrame(frame);
  return encodeFrame({ ...decoded.header, ...header }, body ?? decoded.body);
}

export function bodyOf(frame: Uint8Array): Uint8Array {
  return decodeFrame(frame).body.slice();
}

export function isType(frame: Uint8Array, name: FrameTypeName): boolean {
  return frameType(frame) === FRAME_TYPES[name];
}

/** Replaces the frames of one type that the coordinator sends; to `only` this device when it is given. */
export function tamper(
  type: FrameTypeName,
  change: (frame: Uint8Array, device: DeviceId) => Uint8Array | readonly Uint8Array[],
  only?: DeviceId,
): Carriage {
  return {
    down(device, frame) {
      if (!isType(frame, type) || (only !== undefined && device !== only)) return [frame];
      const changed = change(frame, device);
      return changed instanceof Uint8Array ? [changed] : changed;
    },
  };
}

/** Replaces the frames of one type that one device sends: the device cheats. */
export function cheat(
  type: FrameTypeName,
  cheater: DeviceId | readonly DeviceId[],
  change: (frame: Uint8Array, device: DeviceId) => Uint8Array | readonly Uint8Array[],
): Carriage {
  const cheaters = new Set(typeof cheater === "string" ? [cheater] : cheater);
  return {
    up(device, reply) {
      if (!cheaters.has(device)) return reply;
      return reply.flatMap((frame) => (isType(frame, type) ? change(frame, device) : [frame]));
    },
  };
}

/** How a device's session ended: `done`, or the code of its abort. */
export function ending(session: TestSession, device: DeviceId | number): string | undefined {
  const { outcome } = clientOf(session, typeof device === "number" ? deviceName(device) : device);
  return outcome?.kind === "aborted" ? outcome.code : outcome?.kind;
}

export function rosterOf(session: TestSession): readonly RosterEntry[] {
  const roster = session.delivered.find(({ frame }) => isType(frame, "roster"));
  if (roster === undefined) throw new Error("no roster was sent");
  return decodeRoster(bodyOf(roster.frame), 0xffff).entries;
}

/** Frames that a device sent, of one type. */
export function sentBy(session: TestSession, device: DeviceId, type: FrameTypeName): Uint8Array[] {
  return session.delivered
    .filter((entry) => entry.direction === "up" && entry.device === device && isType(entry.frame, type))
    .map(({ frame }) => frame);
}

/** A provider all of whose randomness follows from a name: the same device again, byte for byte. */
export function repeatableProvider(provider: CryptoProvider, name: string): CryptoProvider {
  let drawn = 0;
  const bytes = (length: number): Uint8Array => {
    const stream = new Uint8Array(Math.ceil(length / 32) * 32);
    for (let at = 0; at < length; at += 32) stream.set(nameDigest(provider, `${name}/${drawn++}`), at);
    return stream.slice(0, length);
  };
  return {
    ...provider,
    random: { kind: "secure", bytes },
    generateX25519: () => provider.importX25519(bytes(32)),
  };
}

export function nameDigest(provider: CryptoProvider, name: string): Uint8Array {
  return provider.sha256(new TextEncoder().encode(name));
}
