import type { UploadJournal } from "../../client/secagg/journal.ts";
import type { DevicePolicy } from "../../client/secagg/policy.ts";
import { type ClientSecAgg, createClientSecAgg } from "../../client/secagg/session.ts";
import type { ClientSecAggOptions } from "../../client/secagg/state.ts";
import type { Dropped, ServerSecAggOptions } from "../../server/secagg/session.ts";
import { createServerSecAgg, type SecAggEffects, type ServerSecAgg } from "../../server/secagg/session.ts";
import { toHex } from "../../shared/crypto/bytes.ts";
import { cryptoProvider as nodeProvider } from "../../shared/crypto/node-provider.ts";
import type { CryptoProvider } from "../../shared/crypto/provider.ts";
import type { DeviceId } from "../../shared/protocol/ids.ts";
import { seededRandom } from "../../shared/random/seeded-random.ts";
import type { SecAggAgreement } from "../../shared/secagg/agreement.ts";
import { issueCertificate } from "../../shared/secagg/certificates.ts";
import { createSlotTable } from "../../shared/secagg/slots.ts";
import { stageAnswered } from "../../simulations/fleet/dropout-plan.ts";

/**
 * A whole session in one process: a coordinator, n devices, and between them a queue of encoded frames that a test may
 * read, change, hold back or repeat. Nothing here knows the protocol; it only carries bytes and lets deadlines pass.
 */
export interface TestSession {
  readonly agreement: SecAggAgreement;
  readonly server: ServerSecAgg;
  readonly devices: ReadonlyMap<DeviceId, TestDevice>;
  /** Every device that the coordinator dropped, with the reason. */
  readonly dropped: Dropped[];
  /** Every frame that reached its receiver, in order. */
  readonly delivered: Delivered[];
}

export interface TestDevice {
  readonly client: ClientSecAgg;
  /** A copy: the session owns its own. */
  readonly input: Int32Array;
  /** Calls of the upload journal. */
  readonly uploads: Uint8Array[];
}

export interface Delivered {
  readonly device: DeviceId;
  readonly direction: "up" | "down";
  readonly frame: Uint8Array;
}

export type ExchangeName = "keys" | "shares" | "mask" | "confirm" | "unmask";
export const EXCHANGES: readonly ExchangeName[] = ["keys", "shares", "mask", "confirm", "unmask"];

export interface TestSessionOptions {
  readonly size: number;
  readonly agreement?: Partial<SecAggAgreement>;
  readonly policy?: Partial<DevicePolicy>;
  readonly quorum?: number;
  /** The provider of device i; node's by default. */
  readonly provider?: (index: number) => CryptoProvider;
  readonly serverProvider?: CryptoProvider;
  /** Level `active-server`: an authority certifies every device. */
  readonly certified?: boolean;
  /** Device i's input; random within ±levels by default. */
  readonly input?: (index: number, agreement: SecAggAgreement) => Int32Array;
  readonly journal?: UploadJournal;
  readonly server?: Partial<ServerSecAggOptions>;
  readonly device?: (index: number) => Partial<ClientSecAggOptions>;
  readonly seed?: number;
}

export const NOW_SECONDS = 1_800_000_000;

/** Small floors, so that small cohorts are allowed; the defaults' fractions. */
export function testAgreement(overrides: Partial<SecAggAgreement> = {}): SecAggAgreement {
  return {
    mode: "masked",
    level: "curious-server",
    population: "test",
    taskId: new Uint8Array(16).fill(0x11),
    roundId: Uint8Array.from({ length: 16 }, (_, i) => (i === 15 ? 7 : 0)),
    modelHash: new Uint8Array(32).fill(0x33),
    dimension: 37,
    bits: 20,
    levels: 127,
    clip: 1,
    slots: createSlotTable([]),
    transforms: [],
    corrupted: 0.05,
    dropout: 0.1,
    rule: "protocol",
    sigma: 64,
    eta: 20,
    floors: { minCohort: 3, minHonest: 2 },
    maxCohort: 128,
    fixedCohort: 0,
    minSurvivors: 0,
    noiseShare: 0,
    ...overrides,
  };
}

export function testPolicy(overrides: Partial<DevicePolicy> = {}): DevicePolicy {
  return {
    minCohort: 3,
    minHonest: 2,
    corrupted: 0.05,
    dropout: 0.1,
    maxDimension: 2 ** 24,
    maxRingBits: 32,
    allowForcedGraph: true,
    allowPlaintext: true,
    ...overrides,
  };
}

export function deviceName(index: number): DeviceId {
  return `d-${String(index).padStart(3, "0")}` as DeviceId;
}

export function createTestSession(options: TestSessionOptions): TestSession {
  const { size, certified = false, seed = 1 } = options;
  const serverProvider = options.serverProvider ?? nodeProvider;
  const authority = certified ? serverProvider.generateEd25519() : undefined;
  const level = certified ? "active-server" : "curious-server";
  const agreement = testAgreement({ level, ...options.agreement });
  const devices = new Map<DeviceId, TestDevice>();
  const pinned = authority === undefined ? {} : { authority: authority.publicKey };
  for (let i = 0; i < size; i++) {
    const provider = options.provider?.(i) ?? nodeProvider;
    const key = provider.generateEd25519();
    const certificate =
      authority && issueCertificate(authority, agreement.population, key.publicKey, NOW_SECONDS + 3600);
    const input = options.input?.(i, agreement) ?? randomInput(agreement, seed, i);
    const uploads: Uint8Array[] = [];
    const client = createClientSecAgg({
      provider,
      agreement,
      identity: { publicKey: key.publicKey, sign: key.sign, ...(certificate === undefined ? {} : { certificate }) },
      ...pinned,
      policy: testPolicy(options.policy),
      input: input.slice(),
      journal: options.journal ?? { recordUpload: (_task, roundId) => void uploads.push(roundId) },
      nowSeconds: NOW_SECONDS,
      ...options.device?.(i),
    });
    devices.set(deviceName(i), { client, input, uploads });
  }
  const server = createServerSecAgg({
    provider: serverProvider,
    agreement,
    ...pinned,
    nowSeconds: NOW_SECONDS,
    invited: [...devices.keys()],
    quorum: options.quorum ?? 3,
    ...options.server,
  });
  return { agreement, server, devices, dropped: [], delivered: [] };
}

/** What may happen to a frame on its way. The frames that are returned are delivered in its place. */
export interface Carriage {
  /** From a device; `reply` are all frames of one answer. */
  up?(device: DeviceId, reply: readonly Uint8Array[], session: TestSession): readonly Uint8Array[];
  down?(device: DeviceId, frame: Uint8Array, session: TestSession): readonly Uint8Array[];
  /** After the frames of an answer were delivered: whether the device's connection closes now. */
  leaves?(device: DeviceId, exchange: ExchangeName): boolean;
  /** The order in which a stage's answers arrive; the devices' own by default. */
  order?(devices: DeviceId[]): DeviceId[];
}

/** Runs a session to its end. Time passes, and ends the stage, when nothing is left to deliver. */
export function runSession(session: TestSession, carriage: Carriage = {}): TestSession {
  const { server, devices } = session;
  let down: { device: DeviceId; frame: Uint8Array }[] = [];
  let answers = new Map<DeviceId, readonly Uint8Array[]>();

  function take(effects: SecAggEffects): void {
    for (const { to, frame } of effects.send) down.push({ device: to, frame });
    session.dropped.push(...effects.dropped);
  }

  function answer(device: DeviceId, reply: readonly Uint8Array[]): void {
    if (reply.length === 0) return;
    answers.set(device, [...(answers.get(device) ?? []), ...(carriage.up?.(device, reply, session) ?? reply)]);
  }

  function deliverDown(): void {
    const frames = down;
    down = [];
    for (const { device, frame } of frames) {
      for (const carried of carriage.down?.(device, frame, session) ?? [frame]) {
        session.delivered.push({ device, direction: "down", frame: carried });
        answer(device, clientOf(session, device).receive(carried));
      }
    }
  }

  function deliverUp(): void {
    const arriving = answers;
    answers = new Map();
    for (const device of carriage.order?.([...arriving.keys()]) ?? arriving.keys()) {
      const frames = arriving.get(device) ?? [];
      for (const frame of frames) {
        session.delivered.push({ device, direction: "up", frame });
        take(server.receive(device, frame));
      }
      const exchange = frames.length > 0 ? exchangeAnswered(frames[0]) : undefined;
      if (exchange !== undefined && carriage.leaves?.(device, exchange)) take(server.leave(device, "disconnected"));
    }
  }

  for (const [device, { client }] of devices) answer(device, client.start());
  while (server.stage !== "done" && server.stage !== "abandoned") {
    deliverUp();
    deliverDown();
    if (answers.size === 0) take(server.closeStage());
    deliverDown();
  }
  deliverDown();
  return session;
}

/** A device falls silent before it answers an exchange, or its connection closes right after it answered. */
export interface Vanishing {
  readonly exchange: ExchangeName;
  readonly when: "before" | "after";
}

/** The carriage of a session in which these devices vanish. */
export function vanishing(plan: ReadonlyMap<DeviceId, Vanishing>): Carriage {
  const silent = new Set<DeviceId>();
  return {
    up(device, reply) {
      const planned = plan.get(device);
      if (planned?.when === "before" && planned.exchange === exchangeAnswered(reply[0])) silent.add(device);
      return silent.has(device) ? [] : reply;
    },
    down: (device, frame) => (silent.has(device) ? [] : [frame]),
    leaves(device, exchange) {
      const planned = plan.get(device);
      if (planned?.when !== "after" || planned.exchange !== exchange) return false;
      silent.add(device);
      return true;
    },
  };
}

export function exchangeAnswered(frame: Uint8Array): ExchangeName | undefined {
  const stage = stageAnswered(frame);
  return stage === "configure" || stage === "train" ? undefined : stage;
}

/** The plain sum of these devices' inputs, as signed values of the ring. */
export function plainSum(session: TestSession, devices: Iterable<DeviceId>): Int32Array {
  const { dimension, bits } = session.agreement;
  const sum = new Int32Array(dimension);
  for (const device of devices) {
    const { input } = deviceOf(session, device);
    for (let i = 0; i < dimension; i++) sum[i] = (sum[i] + input[i]) | 0;
  }
  return sum.map((value) => (value << (32 - bits)) >> (32 - bits));
}

export function clientOf(session: TestSession, device: DeviceId): ClientSecAgg {
  return deviceOf(session, device).client;
}

/**
 * A provider that verifies each signature once for all devices that share it: 100 devices would verify 10,000 in their
 * rosters, of which 100 differ.
 */
export function sharedVerification(provider: CryptoProvider): CryptoProvider {
  const known = new Map<string, boolean>();
  return {
    ...provider,
    verifyEd25519(publicKey, message, signature) {
      const key = toHex(provider.sha256(publicKey, signature, message));
      const verdict = known.get(key) ?? provider.verifyEd25519(publicKey, message, signature);
      known.set(key, verdict);
      return verdict;
    },
  };
}

function deviceOf(session: TestSession, device: DeviceId): TestDevice {
  const found = session.devices.get(device);
  if (found === undefined) throw new Error(`there is no device ${device} in this session`);
  return found;
}

function randomInput({ dimension, levels }: SecAggAgreement, seed: number, index: number): Int32Array {
  const random = seededRandom(seed, "test-input", index);
  return Int32Array.from({ length: dimension }, () => (random.uint32() % (2 * levels + 1)) - levels);
}
