import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cryptoProvider } from "#crypto-provider";
import { createRegistry, type EnrolmentRequest, type Registry } from "../../../server/enrolment/registry.ts";
import { openRunStore, type RunStore } from "../../../server/store/run-store.ts";
import type { Ed25519Key } from "../../../shared/crypto/provider.ts";
import { enrolMessage } from "../../../shared/protocol/connection-messages.ts";
import { MurmurError } from "../../../shared/protocol/errors.ts";
import { encodeCertificate, issueCertificate } from "../../../shared/secagg/certificates.ts";
import type { Clock } from "../../../shared/time/clock.ts";

export const POPULATION = "phones";
export const AUDIENCE = "127.0.0.1:8080";
export const START = 1_764_000_000_000;

/** A clock whose hand the test moves; timers are the machine's, and never keep it alive. */
export function handClock(): Clock & { time: number } {
  return {
    time: START,
    now() {
      return this.time;
    },
    after(milliseconds, callback) {
      const timer = setTimeout(callback, milliseconds).unref();
      return () => clearTimeout(timer);
    },
  };
}

export function newKeys(count: number): Ed25519Key[] {
  return Array.from({ length: count }, () => cryptoProvider.generateEd25519());
}

/** What a device sends to be enrolled. */
export function requestOf(
  key: Ed25519Key,
  token: string,
  { audience = AUDIENCE, certificate = new Uint8Array(0) }: { audience?: string; certificate?: Uint8Array } = {},
): EnrolmentRequest {
  const message = enrolMessage(cryptoProvider, token, { audience, idPk: key.publicKey });
  return { idPk: key.publicKey, certificate, signature: key.sign(message) };
}

export function certificateOf(authority: Ed25519Key, key: Ed25519Key, { population = POPULATION, hours = 1 } = {}) {
  const expiry = START / 1000 + hours * 3600;
  return encodeCertificate(issueCertificate(authority, population, key.publicKey, expiry));
}

export interface Enrolment {
  readonly clock: Clock & { time: number };
  readonly registry: Registry;
  readonly store: RunStore;
  /** As after a restart of the process. */
  reopened(): Registry;
  close(): void;
}

export function openEnrolment({ authority }: { authority?: Uint8Array } = {}): Enrolment {
  const folder = mkdtempSync(join(tmpdir(), "murmur-enrolment-"));
  const clock = handClock();
  let store = openRunStore(folder, { mode: "create" });
  const open = (): Registry =>
    createRegistry({
      store: store.enrolment,
      provider: cryptoProvider,
      clock,
      population: POPULATION,
      ...(authority === undefined ? {} : { authority }),
    });
  return {
    clock,
    registry: open(),
    get store() {
      return store;
    },
    reopened() {
      store.close();
      store = openRunStore(folder, { mode: "resume" });
      return open();
    },
    close() {
      store.close();
      rmSync(folder, { recursive: true });
    },
  };
}

/** The name of the error that the work ends with. */
export async function nameOf(work: () => unknown): Promise<string> {
  try {
    await work();
  } catch (error) {
    if (error instanceof MurmurError) return error.name;
    throw error;
  }
  return "no error";
}
