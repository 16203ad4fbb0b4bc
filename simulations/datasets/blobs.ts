import { seededRandom } from "../../shared/random/seeded-random.ts";
import { type Dataset, datasetHash } from "./dataset.ts";
import type { ExampleSet } from "./example-set.ts";

const CLASSES = 10;
/** As large as MNIST's, so that every model of the zoo takes them. */
const SIDE = 28;
const PIXELS = SIDE * SIDE;
const TRAIN_PER_CLASS = 200;
const TEST_PER_CLASS = 50;
/** Standard deviation of the noise, in grey levels. */
const NOISE = 45;

/**
 * A synthetic set for quick trials and tests: not data about anything. Ten classes of 28 × 28 grey images; a class is two
 * round blobs at places drawn from the seed, an example is its class's image plus Gaussian noise. 2,000 training and
 * 500 test images, classes in turn.
 */
export function generateBlobs(seed: number): Dataset {
  const prototypes = drawPrototypes(seed);
  const train = drawExamples(seed, "blobs/train", prototypes, TRAIN_PER_CLASS);
  const test = drawExamples(seed, "blobs/test", prototypes, TEST_PER_CLASS);
  return {
    name: "blobs",
    labels: "classes",
    outputs: CLASSES,
    inputShape: train.inputShape,
    train,
    test,
    sha256: datasetHash(train, test),
  };
}

/** One noiseless image per class, in grey levels. */
function drawPrototypes(seed: number): Float64Array[] {
  const random = seededRandom(seed, "blobs/prototypes");
  // Pairs of distinct cells of a 4 × 4 grid, a different pair for each class, so that no two classes look alike.
  const pairs: [number, number][] = [];
  for (let a = 0; a < 16; a++) for (let b = 0; b < a; b++) pairs.push([a, b]);
  random.shuffle(pairs);
  return pairs.slice(0, CLASSES).map((cells) => {
    const image = new Float64Array(PIXELS);
    for (const cell of cells) addBlob(image, 7 * (cell >> 2) + 3, 7 * (cell & 3) + 3);
    return image;
  });
}

/** A round spot with a radius of about five pixels: 1 / (1 + (r / 4)²)², times 190 grey levels. */
function addBlob(image: Float64Array, row: number, column: number): void {
  for (let pixel = 0; pixel < PIXELS; pixel++) {
    const y = Math.floor(pixel / SIDE) - row;
    const x = (pixel % SIDE) - column;
    const falloff = 1 + (x * x + y * y) / 16;
    image[pixel] += 190 / (falloff * falloff);
  }
}

function drawExamples(
  seed: number,
  purpose: string,
  prototypes: readonly Float64Array[],
  perClass: number,
): ExampleSet {
  const random = seededRandom(seed, purpose);
  const count = perClass * CLASSES;
  const values = new Uint8Array(count * PIXELS);
  const labels = new Uint8Array(count);
  for (let example = 0; example < count; example++) {
    const label = example % CLASSES;
    labels[example] = label;
    for (let pixel = 0; pixel < PIXELS; pixel++) {
      const level = Math.round(prototypes[label][pixel] + NOISE * random.normal());
      values[example * PIXELS + pixel] = Math.min(255, Math.max(0, level));
    }
  }
  return { values, scale: 1 / 255, labels, count, inputShape: [SIDE, SIDE, 1] };
}
