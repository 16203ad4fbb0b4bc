import type { LocalTraining } from "../../shared/learning/local-training.ts";
import {
  type Configuration,
  decodeConfiguration,
  encodeBegin,
  encodeConfiguration,
  encodeModel,
} from "../../shared/protocol/control-messages.ts";
import { EncodingError } from "../../shared/protocol/encoding.ts";
import { decodeFrame, FRAME_TYPES } from "../../shared/protocol/frame.ts";
import type { SeededRandom } from "../../shared/random/seeded-random.ts";
import { contextHash } from "../../shared/secagg/agreement.ts";
import { editField, pick, randomBytes } from "./field-edits.ts";
import type { Mutant } from "./mutations.ts";
import type { Setting } from "./setting.ts";

/**
 * A round that a coordinator might offer instead: another number, other fields, other parameters, and the hash, the
 * bindings and the model that go with them. Every check that compares one part with another holds, so what is left are
 * the checks of the parts themselves.
 */
export function anotherOffer(random: SeededRandom, { provider }: Setting, configure: Uint8Array): Mutant {
  const changed = { ...anotherConfiguration(random, decodeFrame(configure).body), ...anotherTask(random) };
  const parameters = Math.min(changed.parameters, MOST_PARAMETERS);
  const model = anotherModel(random, parameters);
  const { slots, dimension, roundId } = changed.agreement;
  const agreement = {
    ...changed.agreement,
    modelHash: provider.sha256(model),
    roundId: random.below(3) === 0 ? randomBytes(random, 16) : roundId,
    dimension: random.below(8) === 0 ? dimension : parameters + slots.slots.length,
  };
  const binding = { roundId: agreement.roundId, context: contextHash(provider, agreement) };
  const frames = [
    encodeConfiguration(binding, { ...changed, agreement, parameters }),
    encodeModel(binding, model),
    encodeBegin(binding),
  ];
  return { how: "offer: another round", frames };
}

const MOST_PARAMETERS = 64;

/** With a field or two changed, where it is one then. */
function anotherConfiguration(random: SeededRandom, original: Uint8Array): Configuration {
  let body = original;
  for (let edits = random.below(3); edits > 0; edits--) {
    body = editField(random, FRAME_TYPES.configure, body) ?? body;
  }
  try {
    return decodeConfiguration(body);
  } catch (error) {
    if (!(error instanceof EncodingError)) throw error;
    return decodeConfiguration(original);
  }
}

/** Now and then, training of another kind, and something for the device to keep between rounds. */
function anotherTask(random: SeededRandom): Partial<Configuration> {
  const training = { epochs: 1 + random.below(3), batchSize: 1 + random.below(64), learningRate: pick(random, RATES) };
  const lost = Array.from({ length: random.below(4) }, (_, i) => new Uint8Array(16).fill(64 * i + random.below(64)));
  return {
    ...(random.below(4) === 0 ? { training: { ...training, ...pick(random, LOCAL_TRAINING) } } : {}),
    ...(random.below(4) === 0 ? { procedure: { kind: "scaffold", lost } } : {}),
  };
}

const RATES = [0.1, 1e-300, 1e300, Number.MIN_VALUE, Number.MAX_VALUE];
const LOCAL_TRAINING: readonly Partial<LocalTraining>[] = [
  { optimizer: { kind: "momentum", momentum: 0.9, nesterov: true }, weightDecay: 1e-4 },
  { optimizer: { kind: "adam", beta1: 0, beta2: 1 - Number.EPSILON, epsilon: Number.MIN_VALUE } },
  { gradientClip: Number.MAX_VALUE, proximalMu: Number.MAX_VALUE },
];

function anotherModel(random: SeededRandom, parameters: number): Uint8Array {
  if (random.below(3) === 0) return randomBytes(random, 4 * parameters);
  const values = Float32Array.from({ length: parameters }, () => pick(random, PARAMETERS));
  return new Uint8Array(values.buffer);
}

const PARAMETERS = [0, 0.5, -0, 1, -1, Number.NaN, Number.POSITIVE_INFINITY, 3.4e38, -3.4e38, 1e-45];
