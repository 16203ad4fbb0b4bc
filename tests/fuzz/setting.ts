import { createDevice, type Device, type TrainingRequest } from "../../client/device.ts";
import type { TrainingResult } from "../../client/training/trainer.ts";
import { type FederatedTask, type OpenRound, openRound } from "../../server/task.ts";
import { cryptoProvider } from "../../shared/crypto/node-provider.ts";
import type { CryptoProvider, Ed25519Key } from "../../shared/crypto/provider.ts";
import type { ParameterVector } from "../../shared/learning/parameters.ts";
import type { DeviceId } from "../../shared/protocol/ids.ts";
import { issueCertificate } from "../../shared/secagg/certificates.ts";
import { metricSlots } from "../../shared/secagg/metric-slots.ts";
import { smallestRingBits } from "../../shared/secagg/ring-bound.ts";
import { nameDigest } from "../adversary/fixture.ts";
import { memoryJournal, NOW, volatileMemory } from "../client/device-fixtures.ts";
import { deviceName, NOW_SECONDS, testAgreement, testPolicy } from "../secagg/session-harness.ts";
import { memoisedProvider } from "./memoised-provider.ts";
import { repeatableRandom } from "./repeatable-random.ts";

/** The programs that are fuzzed; a test plants a bug by giving another one. */
export interface Programs {
  readonly openRound: typeof openRound;
  readonly createDevice: typeof createDevice;
}

export const PROGRAMS: Programs = { openRound, createDevice };

/** What a round of a small federation is like. */
export interface Shape {
  readonly mode: "masked" | "plaintext";
  readonly level?: "curious-server" | "active-server";
  readonly devices: number;
  /** Of the devices, how many updates are wanted; the others may be lost. */
  readonly goal: number;
  readonly parameters: number;
  readonly round: number;
  readonly closeAt?: "all" | "goal";
  /** Of the ring; as narrow as it can be by default. */
  readonly bits?: number;
  /** Rounding comes from a seed, not from the device's randomness. */
  readonly simulation?: boolean;
}

/**
 * A round of a small federation, which can be opened again and again. All of its randomness is fixed, so it is each time
 * the same round, byte for byte, as long as the same frames are delivered.
 */
export interface Setting {
  readonly shape: Shape;
  readonly devices: readonly DeviceId[];
  /** When it begins, milliseconds since the epoch. */
  readonly startsAt: number;
  readonly provider: CryptoProvider;
  identity(device: DeviceId): Ed25519Key;
  open(): OpenRound;
  /** A device at the beginning of the round. Each of its inputs is told. */
  device(id: DeviceId, observeInput: (roundId: Uint8Array, input: Int32Array) => void): Device;
  /** Trains without an engine: every parameter moves a little, other ones on each device. */
  train(id: DeviceId, request: TrainingRequest): TrainingResult;
}

const provider = memoisedProvider(cryptoProvider);
const AUTHORITY = provider.importEd25519(nameDigest(provider, "fuzz authority"));
const SLOTS = metricSlots({ largestExampleCount: 50, weightCap: 50, largestMeanLoss: 10, levels: 127 });

export function createSetting({ openRound: open, createDevice: create }: Programs, shape: Shape): Setting {
  const { mode, level = "curious-server", goal, closeAt = "all", simulation = false } = shape;
  const name = `fuzz ${JSON.stringify(shape)}`;
  const devices = Array.from({ length: shape.devices }, (_, i) => deviceName(i));
  const identities = new Map(
    devices.map((id) => [id, provider.importEd25519(nameDigest(provider, `fuzz identity ${id}`))]),
  );
  const authority = level === "active-server" ? { authority: AUTHORITY.publicKey } : {};
  const maxCohort = devices.length;
  const terms = testAgreement({
    mode,
    level,
    taskId: nameDigest(provider, name).subarray(0, 16),
    dimension: shape.parameters + SLOTS.slots.length,
    bits: shape.bits ?? smallestRingBits({ levels: 127, largestSlot: SLOTS.largest, maxInputs: maxCohort }),
    slots: SLOTS,
    transforms: ["clip:2", "weight:examples:50", "quantise:8:1"],
    maxCohort,
  });
  const task: FederatedTask = {
    terms,
    model: "softmax",
    training: { epochs: 1, batchSize: 10, learningRate: 0.1 },
    deadlines: { configure: 1_000, train: 10_000, exchange: 500 },
    goal,
    closeAt,
    ...(simulation ? { simulationSeed: 1 } : {}),
    ...authority,
  };
  const parameters: ParameterVector = Float32Array.from({ length: shape.parameters }, (_, i) => (i % 16) / 8 - 1);

  function identity(id: DeviceId): Ed25519Key {
    const key = identities.get(id);
    if (key === undefined) throw new Error(`there is no device ${id} in this setting`);
    return key;
  }

  return {
    shape,
    devices,
    startsAt: NOW,
    provider,
    identity,
    open: () => open(provider, task, shape.round, { values: parameters, lost: [] }, devices, NOW_SECONDS),
    device(id, observeInput) {
      const key = identity(id);
      const expiry = NOW_SECONDS + 3600;
      return create({
        name: id,
        provider: repeatableRandom(provider, `${name} ${id}`),
        identity: {
          publicKey: key.publicKey,
          sign: key.sign,
          ...(level === "active-server"
            ? { certificate: issueCertificate(AUTHORITY, terms.population, key.publicKey, expiry) }
            : {}),
        },
        ...authority,
        policy: testPolicy(),
        acceptsSimulation: simulation,
        maxRoundsPerDay: 10,
        journal: memoryJournal(),
        memory: volatileMemory(),
        observeInput,
      });
    },
    train(id, { parameters: before }) {
      const place = devices.indexOf(id);
      const examples = 10 + place;
      return {
        parameters: before.map((value, i) => value + ((7 * place + 3 * i) % 11) / 16 - 0.3),
        examples,
        lossSum: examples / 2,
        correct: place,
        steps: 1,
      };
    },
  };
}
