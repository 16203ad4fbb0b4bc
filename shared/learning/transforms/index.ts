import type { RoundMetric } from "../../secagg/metric-slots.ts";
import type { SlotTable } from "../../secagg/slots.ts";
import { clip } from "./clip.ts";
import { quantiseTransform } from "./quantise.ts";
import type {
  AggregateSum,
  DeviceContext,
  FloatSum,
  RoundContext,
  Update,
  UpdateTransform,
} from "./update-transform.ts";
import { weightByExamples } from "./weight.ts";

type Parser = (fields: readonly string[], slots: SlotTable<RoundMetric>) => UpdateTransform;

/** Every transform, by the first word of its specification. To add one, add its file and its line. */
const PARSERS: ReadonlyMap<string, Parser> = new Map<string, Parser>([
  ["clip", ([norm]) => clip(Number(norm))],
  ["weight", ([, cap]) => weightByExamples(Number(cap))],
  ["quantise", ([bits, range], slots) => quantiseTransform(Number(bits), Number(range), slots)],
]);

/**
 * The transforms that an agreement names, in the device's order. Both sides build them from the agreed text, so they
 * cannot differ.
 * @throws {RangeError} on a specification that is unknown or not in its canonical form.
 */
export function transformsOf(agreement: {
  readonly transforms: readonly string[];
  readonly slots: SlotTable<RoundMetric>;
}): UpdateTransform[] {
  return agreement.transforms.map((specification) => {
    const [name, ...fields] = specification.split(":");
    const parse = PARSERS.get(name);
    if (parse === undefined) throw new RangeError(`there is no update transform "${name}"`);
    const transform = parse(fields, agreement.slots);
    if (transform.specification !== specification) {
      throw new RangeError(`"${specification}" is not how this transform is written: "${transform.specification}" is`);
    }
    return transform;
  });
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
