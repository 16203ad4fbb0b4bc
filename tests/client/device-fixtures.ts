import { createDevice, type Device, type DeviceOptions } from "../../client/device.ts";
import type { DeviceJournal, UploadEntry } from "../../client/journal.ts";
import type { DeviceMemory } from "../../client/memory.ts";
import type { DevicePolicy } from "../../client/secagg/policy.ts";
import { compareBytes, equalBytes } from "../../shared/crypto/bytes.ts";
import { cryptoProvider } from "../../shared/crypto/node-provider.ts";
import { type ParameterVector, parameterBytes } from "../../shared/learning/parameters.ts";
import {
  type Configuration,
  encodeBegin,
  encodeConfiguration,
  encodeModel,
  type RoundBinding,
} from "../../shared/protocol/control-messages.ts";
import { contextHash, type SecAggAgreement } from "../../shared/secagg/agreement.ts";
import { metricSlots } from "../../shared/secagg/metric-slots.ts";
import { smallestRingBits } from "../../shared/secagg/ring-bound.ts";
import { testAgreement, testPolicy } from "../secagg/session-harness.ts";

export const MODEL: ParameterVector = Float32Array.of(0.5, -0.25, 0.125, 0);
export const NOW = 1_800_000_000_000;
export const DEADLINES = { configure: 1_000, train: 10_000, exchange: 500 } as const;

const SLOTS = metricSlots({ largestExampleCount: 50, weightCap: 50, largestMeanLoss: 10, levels: 127 });

/** What a coordinator offers: an honest round on {@link MODEL}, but for the changes. */
export interface Offer {
  readonly configuration: Configuration;
  readonly binding: RoundBinding;
  readonly configure: Uint8Array;
  /** The frames that follow. */
  readonly model: readonly Uint8Array[];
  readonly begin: Uint8Array;
}

export interface OfferChanges extends Partial<Omit<Configuration, "agreement">> {
  readonly agreement?: Partial<SecAggAgreement>;
  /** The model that is sent, whatever hash was agreed. */
  readonly sent?: ParameterVector;
}

export function offer({ agreement: changes, sent = MODEL, ...rest }: OfferChanges = {}): Offer {
  const agreement = testAgreement({
    mode: "plaintext",
    modelHash: cryptoProvider.sha256(parameterBytes(MODEL)),
    dimension: MODEL.length + SLOTS.slots.length,
    bits: smallestRingBits({ levels: 127, largestSlot: SLOTS.largest, maxInputs: 128 }),
    slots: SLOTS,
    transforms: ["weight:examples:50", "quantise:8:1"],
    ...changes,
  });
  const binding = { roundId: agreement.roundId, context: contextHash(cryptoProvider, agreement) };
  const configuration: Configuration = {
    agreement,
    model: "softmax",
    parameters: MODEL.length,
    training: { epochs: 1, batchSize: 10, learningRate: 0.1 },
    deadlines: DEADLINES,
    simulationSeed: 1,
    ...rest,
  };
  return {
    configuration,
    binding,
    configure: encodeConfiguration(binding, configuration),
    model: [encodeModel(binding, parameterBytes(sent))],
    begin: encodeBegin(binding),
  };
}

/** Remembers in memory, and notes what it was asked to make durable. */
export function memoryJournal(entries: UploadEntry[] = []): DeviceJournal & { readonly entries: UploadEntry[] } {
  return {
    entries,
    latestRound: (taskId) =>
      entries
        .filter((entry) => equalBytes(entry.taskId, taskId))
        .map(({ roundId }) => roundId)
        .sort(compareBytes)
        .at(-1),
    hasUploaded: (modelHash) => entries.some((entry) => equalBytes(entry.modelHash, modelHash)),
    uploadsSince: (since) => entries.filter(({ at }) => at >= since).length,
    record: (entry) => void entries.push(entry),
  };
}

/** Keeps in memory what the last round of any task left. */
export function volatileMemory(): DeviceMemory {
  let kept: { readonly roundId: Uint8Array; readonly memory: Float32Array }[] = [];
  return {
    recall(_taskId, lost) {
      kept = kept.filter(({ roundId }) => !lost.some((id) => equalBytes(id, roundId)));
      return kept.at(-1)?.memory;
    },
    keep: (_taskId, roundId, memory) => void kept.push({ roundId, memory }),
  };
}

export function testDevice(
  options: Partial<Omit<DeviceOptions, "policy">> & { readonly policy?: Partial<DevicePolicy> } = {},
): Device {
  const key = cryptoProvider.generateEd25519();
  return createDevice({
    name: "d-0",
    provider: cryptoProvider,
    identity: { publicKey: key.publicKey, sign: (message) => key.sign(message) },
    acceptsSimulation: true,
    maxRoundsPerDay: 10,
    journal: memoryJournal(),
    ...options,
    policy: testPolicy(options.policy),
  });
}
