import { setImmediate as letOthersRun } from "node:timers/promises";
import { toHex } from "../../shared/crypto/bytes.ts";
import type { CryptoProvider } from "../../shared/crypto/provider.ts";
import { enrolMessage } from "../../shared/protocol/connection-messages.ts";
import { MurmurError } from "../../shared/protocol/errors.ts";
import { readCertificate, verifyCertificate } from "../../shared/secagg/certificates.ts";
import type { Clock } from "../../shared/time/clock.ts";
import type { DeviceRecord, EnrolmentStore, TokenRecord, TokenScope } from "../store/enrolment-store.ts";
import { createTokenBook, type TokenTerms, type TokenView } from "./tokens.ts";

export interface RegistryOptions {
  readonly store: EnrolmentStore;
  readonly provider: Pick<CryptoProvider, "sha256" | "random" | "verifyEd25519">;
  readonly clock: Clock;
  readonly population: string;
  /** The pinned enrolment authority's Ed25519 key: with it, every device needs its certificate. */
  readonly authority?: Uint8Array;
}

/** A device that asks to be enrolled. */
export interface EnrolmentRequest {
  /** Ed25519, 32 bytes. */
  readonly idPk: Uint8Array;
  /** 72 bytes; empty without an authority. */
  readonly certificate: Uint8Array;
  /** 64 bytes, over {@link enrolMessage}. */
  readonly signature: Uint8Array;
}

/** Who may take part, and who may let others in. Kept in memory, and in the run's store before anything is answered. */
export interface Registry {
  /**
   * Enrols every one of the devices, or none. A key that is enrolled already costs no use of the token. Yields to other
   * work while it verifies.
   * @returns how many were added, and how many were there.
   * @throws {MurmurError} `token-missing`, `token-invalid`, `token-expired`, `token-used-up`, `device-revoked`,
   * `device-uncertified`, `request-invalid`.
   */
  enrol(request: {
    readonly token: string;
    readonly audience: string;
    readonly devices: readonly EnrolmentRequest[];
  }): Promise<{ readonly enrolled: number; readonly already: number }>;
  device(idPk: Uint8Array): DeviceRecord | undefined;
  admit(idPk: Uint8Array): "ok" | "not-enrolled" | "revoked";
  /** Notes what a device is called, so that it is called the same when it comes back. */
  remember(idPk: Uint8Array, name: string): void;
  lastName(idPk: Uint8Array): string | undefined;
  /** False when no such key is enrolled. A revoked key is never enrolled again. */
  revoke(publicKey: string): boolean;
  /** Ascending by public key. */
  list(): DeviceRecord[];
  /** Devices that are enrolled and not revoked. */
  enrolled(): number;
  createToken(terms: TokenTerms): { readonly id: string; readonly token: string };
  /** @throws {MurmurError} as {@link TokenBook.adopt}. */
  adoptToken(text: string, terms: TokenTerms): string;
  tokens(): TokenView[];
  /** False when there is no such token. */
  revokeToken(id: string): boolean;
  /** Whether the text is a good token of the scope. */
  authorises(text: string, scope: TokenScope): boolean;
}

/** Signatures verified between two yields: a few milliseconds. */
const VERIFIED_AT_ONCE = 16;

export function createRegistry({ store, provider, clock, population, authority }: RegistryOptions): Registry {
  const tokens = createTokenBook({ store, provider, clock });
  const devices = new Map(store.devices().map((device) => [device.publicKey, device]));
  let enrolledCount = 0;
  for (const device of devices.values()) if (device.revokedAt === undefined) enrolledCount += 1;

  const find = (idPk: Uint8Array): DeviceRecord | undefined => devices.get(toHex(idPk));

  /** @throws {MurmurError} `device-uncertified` */
  function requireCertified(authorityKey: Uint8Array, { idPk, certificate }: EnrolmentRequest): void {
    const decoded = readCertificate(certificate);
    const seconds = clock.now() / 1000;
    if (decoded !== undefined && verifyCertificate(provider, authorityKey, population, idPk, decoded, seconds)) return;
    throw new MurmurError("device-uncertified", `The device ${shortKey(idPk)} has no certificate that holds.`);
  }

  async function verifyAll(token: string, audience: string, requests: readonly EnrolmentRequest[]): Promise<void> {
    for (const [index, request] of requests.entries()) {
      if (index % VERIFIED_AT_ONCE === VERIFIED_AT_ONCE - 1) await letOthersRun();
      const message = enrolMessage(provider, token, { audience, idPk: request.idPk });
      if (!provider.verifyEd25519(request.idPk, message, request.signature)) {
        const what = `The signature of the device ${shortKey(request.idPk)} is not over this token and ${audience}.`;
        throw new MurmurError("request-invalid", what);
      }
      if (authority !== undefined) requireCertified(authority, request);
    }
  }

  /** Synchronous from the check to the end, so that no two requests take the same use of a token. */
  function commit(token: TokenRecord, requests: readonly EnrolmentRequest[]): { enrolled: number; already: number } {
    const added: DeviceRecord[] = [];
    const recertified: Required<Pick<DeviceRecord, "publicKey" | "certificate">>[] = [];
    for (const { idPk, certificate } of requests) {
      const publicKey = toHex(idPk);
      const known = devices.get(publicKey);
      if (known?.revokedAt !== undefined) {
        throw new MurmurError("device-revoked", `The key ${shortKey(idPk)} was revoked by the operator.`);
      }
      const certified = authority === undefined ? {} : { certificate: new Uint8Array(certificate) };
      if (known === undefined) {
        added.push({ publicKey, ...certified, tokenId: token.id, enrolledAt: Math.floor(clock.now()) });
      } else if (certified.certificate !== undefined) {
        recertified.push({ publicKey, certificate: certified.certificate });
      }
    }
    if (added.length > token.usesLeft) {
      const what = `The token ${token.id} enrols ${token.usesLeft} more of its ${token.uses} devices, not ${added.length}.`;
      throw new MurmurError("token-used-up", what);
    }
    if (added.length + recertified.length > 0) store.enrol({ tokenId: token.id, added, recertified });
    tokens.used(token.id, added.length);
    for (const device of added) devices.set(device.publicKey, device);
    for (const { publicKey, certificate } of recertified) {
      const known = devices.get(publicKey);
      if (known !== undefined) devices.set(publicKey, { ...known, certificate });
    }
    enrolledCount += added.length;
    return { enrolled: added.length, already: requests.length - added.length };
  }

  return {
    async enrol({ token, audience, devices: requests }) {
      // First of all, so that nobody without a token can keep the coordinator busy with signatures.
      tokens.require(token, "enrol");
      requireDistinct(requests);
      await verifyAll(token, audience, requests);
      return commit(tokens.require(token, "enrol"), requests);
    },
    device: find,
    admit(idPk) {
      const device = find(idPk);
      if (device === undefined) return "not-enrolled";
      return device.revokedAt === undefined ? "ok" : "revoked";
    },
    remember(idPk, name) {
      const device = find(idPk);
      if (device === undefined || device.lastName === name) return;
      store.setLastName(device.publicKey, name);
      devices.set(device.publicKey, { ...device, lastName: name });
    },
    lastName: (idPk) => find(idPk)?.lastName,
    revoke(publicKey) {
      const device = devices.get(publicKey.toLowerCase());
      if (device === undefined) return false;
      if (device.revokedAt !== undefined) return true;
      const revokedAt = Math.floor(clock.now());
      store.revokeDevice(device.publicKey, revokedAt);
      devices.set(device.publicKey, { ...device, revokedAt });
      enrolledCount -= 1;
      return true;
    },
    list: () => [...devices.values()].sort((a, b) => (a.publicKey < b.publicKey ? -1 : 1)),
    enrolled: () => enrolledCount,
    createToken: tokens.create,
    adoptToken: tokens.adopt,
    tokens: tokens.list,
    revokeToken: tokens.revoke,
    authorises(text, scope) {
      try {
        tokens.require(text, scope);
        return true;
      } catch (error) {
        if (error instanceof MurmurError) return false;
        throw error;
      }
    },
  };
}

function requireDistinct(requests: readonly EnrolmentRequest[]): void {
  const keys = new Set(requests.map(({ idPk }) => toHex(idPk)));
  if (keys.size !== requests.length) {
    throw new MurmurError("request-invalid", "The same device is in the request twice.");
  }
}

/** Enough of a public key for a person to tell which it is. */
function shortKey(idPk: Uint8Array): string {
  return `${toHex(idPk.subarray(0, 4))}…`;
}
