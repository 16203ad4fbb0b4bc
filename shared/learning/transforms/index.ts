import type { NoiseKind } from "../../privacy/noise/noise-law.ts";
import type { RoundMetric } from "../../secagg/metric-slots.ts";
import type { SlotTable } from "../../secagg/slots.ts";
import { adaptiveClip } from "./adaptive-clip.ts";
import { clip } from "./clip.ts";
import { weightFixed } from "./fixed-weight.ts";
import { quantiseTransform } from "./quantise.ts";
import { ringNoise } from "./ring-noise.ts";
import { rotate } from "./rotate.ts";
import { weightByStaleness } from "./staleness.ts";
import { weightUniformly } from "./uniform.ts";
import type {
  AggregateSum,
  DeviceContext,
  FloatSum,
  RoundContext,
  Update,
  UpdateTransform,
} from "./update-transform.ts";
import { weightByExamples } from "./weight.ts";
import { zeroInvalid } from "./zero-invalid.ts";

/** What an agreement says about the way from an update to the ring. */
export interface TransformTerms {
  readonly transforms: readonly string[];
  readonly slots: SlotTable<RoundMetric>;
  /** L, and c: what the ring was proven for, so the quantiser has to keep to them. */
  readonly levels: number;
  readonly clip: number;
}

type Parser = (fields: readonly string[], terms: TransformTerms) => UpdateTransform;

const QUANTISE = "quantise";
/** Transforms from real numbers into the ring. */
const INTO_RING: readonly string[] = [QUANTISE, "rotate"];
const NOISE = "noise";

/** Every transform, by the first word of its specification. To add one, add its file and its line. */
const PARSERS: ReadonlyMap<string, Parser> = new Map<string, Parser>([
  ["adaptive-clip", ([norm, ratio]) => adaptiveClip(Number(norm), Number(ratio))],
  ["clip", ([norm]) => clip(Number(norm))],
  ["zero-invalid", ([largest]) => zeroInvalid(Number(largest))],
  [
    "weight",
    ([by, cap]) =>
      by === "uniform" ? weightUniformly() : by === "fixed" ? weightFixed(Number(cap)) : weightByExamples(Number(cap)),
  ],
  ["staleness", ([most]) => weightByStaleness(Number(most))],
  [
    "rotate",
    ([coordinates, norm, scale, bits, seed]) =>
      rotate(Number(coordinates), Number(norm), Number(scale), Number(bits), Number(seed)),
  ],
  [NOISE, ([kind, variance]) => ringNoise(noiseKind(kind), Number(variance))],
  [QUANTISE, ([bits, range], terms) => agreedQuantiser(Number(bits), Number(range), terms)],
]);

/**
 * The transforms that an agreement names, in the device's order. Both sides build them from the agreed text, so they
 * cannot differ.
 * @throws {RangeError} on a specification that is unknown or not in its canonical form, and on transforms that do not
 * lead to the agreed ring.
 */
export function transformsOf(terms: TransformTerms): UpdateTransform[] {
  const names = terms.transforms.map((specification) => specification.split(":")[0]);
  const entry = names.findIndex((name) => INTO_RING.includes(name));
  if (entry === -1 || names.some((name, at) => (name === NOISE) !== at > entry)) {
    throw new RangeError("the transforms of an agreement end in the ring, and enter it once");
  }
  return terms.transforms.map((specification) => {
    const [name, ...fields] = specification.split(":");
    const parse = PARSERS.get(name);
    if (parse === undefined) throw new RangeError(`there is no update transform "${name}"`);
    const transform = parse(fields, terms);
    if (transform.specification !== specification) {
      throw new RangeError(`"${specification}" is not how this transform is written: "${transform.specification}" is`);
    }
    return transform;
  });
}

/**
 * Whether the sum is meant mod the ring: sums of rotated updates have a spread that fits into it, and no bound that does
 * (`privacy.md` 1.9, rule 8).
 */
export function wrapsAround(transforms: readonly string[]): boolean {
  return transforms.some((specification) => specification.startsWith("rotate:"));
}

function noiseKind(text: string): NoiseKind {
  if (text !== "gaussian" && text !== "skellam") throw new RangeError(`there is no noise "${text}"`);
  return text;
}

/** The quantiser, if its values stay within what the ring was proven for. */
function agreedQuantiser(
  bits: number,
  range: number,
  { slots, levels, clip: largest }: TransformTerms,
): UpdateTransform {
  const transform = quantiseTransform(bits, range, slots);
  if (2 ** (bits - 1) - 1 !== levels || range !== largest) {
    throw new RangeError(`"${transform.specification}" is not the quantiser of ${levels} levels for ±${largest}`);
  }
  return transform;
}

/**
 * d: coordinates of the masked vector that an update of so many parameters becomes, metric slots included.
 * @throws {RangeError} where transforms do not take what comes before them
 */
export function ringDimension(
  transforms: readonly UpdateTransform[],
  parameters: number,
  slots: SlotTable<RoundMetric>,
): number {
  const coordinates = transforms.reduce((count, transform) => transform.coordinates?.(count) ?? count, parameters);
  return coordinates + slots.slots.length;
}

/** The device's way through the transforms: to the ring vector that is masked. */
export function encodeUpdate(
  transforms: readonly UpdateTransform[],
  update: Update,
  context: DeviceContext,
): Int32Array {
  let encoded = update;
  for (const transform of transforms) encoded = transform.encode(encoded, context);
  if (encoded.kind !== "ring") throw new Error("the transforms of an agreement end in the ring");
  return encoded.values;
}

/** The server's way back: from the ring sum to the mean update and the summed metrics. */
export function decodeSum(transforms: readonly UpdateTransform[], sum: AggregateSum, context: RoundContext): FloatSum {
  let decoded = sum;
  for (const transform of [...transforms].reverse()) decoded = transform.decode(decoded, context);
  if (decoded.kind !== "float") throw new Error("the transforms of an agreement start from real numbers");
  return decoded;
}
