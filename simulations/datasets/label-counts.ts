import type { Dataset } from "./dataset.ts";
import type { Holdings } from "./partitions/holdings.ts";

/** Who holds how many examples with which label. */
export interface LabelCounts {
  /** What each label is called: classes, or tenths of the range of targets. */
  readonly labels: readonly string[];
  /** Which devices were counted, ascending: all of them, or so many, evenly spaced. */
  readonly devices: Int32Array;
  /** Examples, by counted device. */
  readonly sizes: Int32Array;
  /** Examples by counted device and label: device by device, one number a label. */
  readonly of: Int32Array;
  /** Examples of the training set, by label. */
  readonly pool: Int32Array;
}

/** Counts at most `most` devices, evenly spaced over the fleet. */
export function countLabels(dataset: Dataset, holdings: Holdings, most: number): LabelCounts {
  const { names, indices } = labelGroups(dataset);
  const counted = Math.min(most, holdings.devices);
  const devices = Int32Array.from({ length: counted }, (_, i) => Math.floor((i * holdings.devices) / counted));
  const of = new Int32Array(counted * names.length);
  for (const [i, device] of devices.entries()) {
    for (const example of holdings.examples(device)) of[i * names.length + indices[example]]++;
  }
  const pool = new Int32Array(names.length);
  for (let example = 0; example < indices.length; example++) pool[indices[example]]++;
  return { labels: names, devices, sizes: devices.map((device) => holdings.size(device)), of, pool };
}

const TENTHS = 10;

/** By training example, which label it counts under. Targets are sorted, the first of them, into ten groups of one size. */
function labelGroups({ labels, outputs, classNames, train }: Dataset): {
  readonly names: readonly string[];
  readonly indices: ArrayLike<number>;
} {
  if (labels === "classes") {
    return { names: classNames ?? Array.from({ length: outputs }, (_, label) => String(label)), indices: train.labels };
  }
  const target = (example: number) => train.labels[example * outputs];
  const order = Int32Array.from({ length: train.count }, (_, example) => example).sort(
    (a, b) => target(a) - target(b) || a - b,
  );
  const indices = new Int32Array(train.count);
  for (const [rank, example] of order.entries()) indices[example] = Math.floor((rank * TENTHS) / train.count);
  return { names: Array.from({ length: TENTHS }, (_, tenth) => `${tenth + 1}/10`), indices };
}
