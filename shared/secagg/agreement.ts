import type { CryptoProvider } from "../crypto/provider.ts";
import { createReader, createWriter, EncodingError, type Reader, type Writer } from "../protocol/encoding.ts";
import { SUITE } from "../protocol/frame.ts";
import type { RoundMetric } from "./metric-slots.ts";
import { createSlotTable, type SlotDeclaration, type SlotTable } from "./slots.ts";

/**
 * Everything that a round's devices and its coordinator agree on before exchange 0. Its hash, ctx, is in every
 * signature and every key of the round: sides that disagree on anything here cannot cancel each other's masks.
 */
export interface SecAggAgreement {
  /** `plaintext` is the insecure mode without masks; a device takes part in it only when its policy allows it. */
  readonly mode: "masked" | "plaintext";
  readonly level: "curious-server" | "active-server";
  readonly population: string;
  /** 16 bytes, random, one for each run. */
  readonly taskId: Uint8Array;
  /** 16 bytes, big-endian, strictly increasing within the task. */
  readonly roundId: Uint8Array;
  /** SHA-256 of the parameters' little-endian bytes. */
  readonly modelHash: Uint8Array;
  /** d: coordinates of the masked vector, metric slots included. */
  readonly dimension: number;
  /** b: the ring is Z_{2^b}. */
  readonly bits: number;
  /** L: the largest absolute value of a quantised coordinate. */
  readonly levels: number;
  /** c: the largest absolute value of a real coordinate. */
  readonly clip: number;
  readonly slots: SlotTable<RoundMetric>;
  /** Specifications of the update transforms, in the device's order. */
  readonly transforms: readonly string[];
  /** γ: the corrupted fraction. */
  readonly corrupted: number;
  /** δ: the fraction that may drop out. */
  readonly dropout: number;
  /** `protocol` chooses the graph by the cohort's size; `complete` forces the complete graph (tests). */
  readonly rule: "protocol" | "complete";
  /** Statistical security and correctness of the finder, where it is used. */
  readonly sigma: number;
  readonly eta: number;
  readonly floors: { readonly minCohort: number; readonly minHonest: number };
  /** n_max: how many devices are invited; a larger roster aborts. */
  readonly maxCohort: number;
  /** n_fix: the constant roster under differential privacy; 0 without. */
  readonly fixedCohort: number;
  /** u_min: the survivors that the noise is sized for; 0 without. */
  readonly minSurvivors: number;
  /** Standard deviation of a device's noise share, in levels; 0 without. */
  readonly noiseShare: number;
}

/** The canonical bytes. `docs/protocol.md`, "Agreement". */
export function encodeAgreement(agreement: SecAggAgreement): Uint8Array {
  return createWriter()
    .u8(SUITE)
    .text(agreement.mode)
    .text(agreement.level)
    .text(agreement.population)
    .fixed(agreement.taskId, 16)
    .fixed(agreement.roundId, 16)
    .fixed(agreement.modelHash, 32)
    .bytes(encodeParameters(agreement))
    .finish();
}

/**
 * ctx = SHA-256("murmuration-secagg/1", suite, population, taskId, roundId, modelHash, params), 32 bytes
 * (`secure-aggregation.md` section 2, "Key schedule").
 */
export function contextHash(provider: Pick<CryptoProvider, "sha256">, agreement: SecAggAgreement): Uint8Array {
  const message = createWriter()
    .text("murmuration-secagg/1")
    .u8(SUITE)
    .text(agreement.population)
    .fixed(agreement.taskId, 16)
    .fixed(agreement.roundId, 16)
    .fixed(agreement.modelHash, 32)
    .bytes(createWriter().text(agreement.mode).text(agreement.level).bytes(encodeParameters(agreement)).finish())
    .finish();
  return provider.sha256(message);
}

/** @throws {EncodingError} on anything that {@link encodeAgreement} would not have written. */
export function decodeAgreement(bytes: Uint8Array): SecAggAgreement {
  const reader = createReader(bytes);
  const suite = reader.u8();
  if (suite !== SUITE) throw new EncodingError(`suite ${suite} is not spoken here`);
  const mode = oneOf(reader.text(), ["masked", "plaintext"]);
  const level = oneOf(reader.text(), ["curious-server", "active-server"]);
  const population = reader.text();
  const taskId = reader.fixed(16);
  const roundId = reader.fixed(16);
  const modelHash = reader.fixed(32);
  const parameters = decodeParameters(createReader(reader.bytes()));
  reader.end();
  return { mode, level, population, taskId, roundId, modelHash, ...parameters };
}

type Parameters = Omit<SecAggAgreement, "mode" | "level" | "population" | "taskId" | "roundId" | "modelHash">;

function encodeParameters(agreement: Parameters): Uint8Array {
  return createWriter()
    .u32(agreement.dimension)
    .u8(agreement.bits)
    .u32(agreement.levels)
    .f64(agreement.clip)
    .list(agreement.slots.slots, writeSlot)
    .list(agreement.transforms, (writer, specification) => writer.text(specification))
    .f64(agreement.corrupted)
    .f64(agreement.dropout)
    .text(agreement.rule)
    .u16(agreement.sigma)
    .u16(agreement.eta)
    .u32(agreement.floors.minCohort)
    .u32(agreement.floors.minHonest)
    .u32(agreement.maxCohort)
    .u32(agreement.fixedCohort)
    .u32(agreement.minSurvivors)
    .f64(agreement.noiseShare)
    .finish();
}

function decodeParameters(reader: Reader): Parameters {
  const parameters: Parameters = {
    dimension: reader.u32(),
    bits: reader.u8(),
    levels: reader.u32(),
    clip: reader.f64(),
    slots: readSlots(reader),
    transforms: reader.list(MOST_TRANSFORMS, (item) => item.text()),
    corrupted: reader.f64(),
    dropout: reader.f64(),
    rule: oneOf(reader.text(), ["protocol", "complete"]),
    sigma: reader.u16(),
    eta: reader.u16(),
    floors: { minCohort: reader.u32(), minHonest: reader.u32() },
    maxCohort: reader.u32(),
    fixedCohort: reader.u32(),
    minSurvivors: reader.u32(),
    noiseShare: reader.f64(),
  };
  reader.end();
  if (parameters.bits < 8 || parameters.bits > 32) throw new EncodingError(`a ring of ${parameters.bits} bits`);
  if (parameters.dimension === 0 || parameters.levels === 0) throw new EncodingError("a vector without coordinates");
  if (parameters.slots.slots.length > parameters.dimension) throw new EncodingError("more slots than coordinates");
  if (parameters.noiseShare < 0) throw new EncodingError("noise of a negative deviation");
  for (const fraction of [parameters.corrupted, parameters.dropout]) {
    if (fraction < 0 || fraction >= 1) throw new EncodingError(`a fraction of ${fraction}`);
  }
  return parameters;
}

const MOST_SLOTS = 64;
const MOST_TRANSFORMS = 16;
const METRICS: readonly RoundMetric[] = ["weight", "examples", "lossSum", "correct", "clipped"];

function writeSlot(writer: Writer, { name, max, scale, excess }: SlotDeclaration): void {
  writer.text(name).f64(max).f64(scale).text(excess);
}

function readSlots(reader: Reader): SlotTable<RoundMetric> {
  const slots = reader.list(MOST_SLOTS, (item) => ({
    name: oneOf(item.text(), METRICS),
    max: item.f64(),
    scale: item.f64(),
    excess: oneOf(item.text(), ["clamp", "error"] as const),
  }));
  try {
    return createSlotTable(slots);
  } catch (error) {
    throw new EncodingError(error instanceof Error ? error.message : "a slot table that does not hold");
  }
}

function oneOf<const Name extends string>(text: string, names: readonly Name[]): Name {
  const known = names.find((name) => name === text);
  if (known === undefined) throw new EncodingError(`"${text}" is none of ${names.join(", ")}`);
  return known;
}
