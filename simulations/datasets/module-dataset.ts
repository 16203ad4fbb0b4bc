import { basename } from "node:path";
import { callModule, importModule, moduleInvalid } from "../own-module.ts";
import { type Dataset, datasetHash } from "./dataset.ts";
import { type ExampleSet, exampleSize } from "./example-set.ts";

export interface ModuleDatasetSpec {
  /** Of a module that exports a function `dataset`. */
  readonly path: string;
}

/**
 * A dataset that a module of one's own loads or makes: its export `dataset({ seed })` returns, or promises,
 *
 *     { inputShape, labels: "classes" | "targets", outputs, train, test }
 *
 * where a part is `{ inputs, labels, scale?, keys? }`: inputs example by example (a Uint8Array stays one, and is fed times
 * `scale`), labels one class index or `outputs` targets an example, keys the name of each example's owner.
 * @throws {MurmurError} `module-invalid`
 */
export async function loadModuleDataset({ path }: ModuleDatasetSpec, seed: number): Promise<Dataset> {
  const exported = await importModule("dataset", path);
  if (typeof exported !== "function") throw moduleInvalid("dataset", path, "is no function of { seed }.");
  const described: unknown = await callModule("dataset", path, () => exported({ seed }));
  if (!isRecord(described)) throw moduleInvalid("dataset", path, "returned no description.");
  const { inputShape, labels, outputs } = described;
  if (!Array.isArray(inputShape) || inputShape.length === 0 || !inputShape.every(isCount)) {
    throw moduleInvalid("dataset", path, "has no inputShape, the lengths of one example's dimensions.");
  }
  if (labels !== "classes" && labels !== "targets") {
    throw moduleInvalid("dataset", path, 'has labels that are neither "classes" nor "targets".');
  }
  if (!isCount(outputs)) throw moduleInvalid("dataset", path, "has no outputs, the number of classes or targets.");
  const shape = { inputShape: inputShape as number[], labels, outputs } as const;
  const owners = new Map<string, number>();
  const train = readPart(path, "train", described.train, shape, owners);
  const test = readPart(path, "test", described.test, shape, owners);
  return {
    name: typeof described.name === "string" && described.name !== "" ? described.name : basename(path),
    ...shape,
    train,
    test,
    ...(owners.size === 0 ? {} : { keyNames: [...owners.keys()] }),
    sha256: datasetHash(train, test),
  };
}

function readPart(
  path: string,
  part: "train" | "test",
  given: unknown,
  shape: Pick<Dataset, "inputShape" | "labels" | "outputs">,
  owners: Map<string, number>,
): ExampleSet {
  const invalid = (fault: string) => moduleInvalid("dataset", path, `${fault} in ${part}.`);
  if (!isRecord(given)) throw invalid("has no { inputs, labels }");
  const { scale = 1 } = given;
  if (typeof scale !== "number" || !Number.isFinite(scale)) throw invalid("has a scale that is no number");
  const inputs = numbers(given.inputs);
  const labels = numbers(given.labels);
  if (inputs === undefined) throw invalid("has inputs that are not all finite numbers");
  if (labels === undefined) throw invalid("has labels that are not all finite numbers");
  const width = shape.labels === "classes" ? 1 : shape.outputs;
  const size = exampleSize(shape);
  const count = labels.length / width;
  if (count === 0) throw invalid("has no examples");
  if (!Number.isInteger(count) || inputs.length !== count * size) {
    throw invalid(`has ${inputs.length} inputs and ${labels.length} labels, and an example has ${size} and ${width},`);
  }
  if (shape.labels === "classes") {
    const stray = labels.findIndex((label) => !(Number.isInteger(label) && label >= 0 && label < shape.outputs));
    if (stray >= 0) throw invalid(`has a label ${labels[stray]}, and classes are 0 to ${shape.outputs - 1},`);
  }
  return {
    values: inputs instanceof Uint8Array ? inputs : Float32Array.from(inputs),
    scale,
    labels: shape.labels === "classes" ? Int32Array.from(labels) : Float32Array.from(labels),
    count,
    inputShape: shape.inputShape,
    ...(given.keys === undefined ? {} : { keys: ownersOf(given.keys, count, owners, invalid) }),
  };
}

function ownersOf(
  given: unknown,
  count: number,
  owners: Map<string, number>,
  invalid: (fault: string) => Error,
): Int32Array {
  if (!Array.isArray(given) || given.length !== count) throw invalid(`has keys that are no list of ${count} names`);
  return Int32Array.from(given, (name) => {
    const key = String(name);
    const place = owners.get(key) ?? owners.size;
    owners.set(key, place);
    return place;
  });
}

/** Numbers as they are given, or undefined where something else is among them. */
function numbers(given: unknown): Uint8Array | Float64Array | undefined {
  if (given instanceof Uint8Array) return given;
  if (!Array.isArray(given) && !(ArrayBuffer.isView(given) && !(given instanceof DataView))) return undefined;
  const values = given as unknown as ArrayLike<unknown>;
  const checked = new Float64Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (typeof value !== "number" || !Number.isFinite(Math.fround(value))) return undefined;
    checked[i] = value;
  }
  return checked;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) > 0;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
