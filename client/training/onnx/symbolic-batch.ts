import type { Initializer, OnnxGraph, OnnxNode } from "./model-proto.ts";

/** The name of the dimension that is bound when the graph runs. */
export const BATCH = "batch";

/** Two sizes of batch to fit a line through, and a third to check it. All are small, so that no work is cut into parts. */
const SIZES = [2, 3, 4] as const;

/**
 * A graph for any batch from graphs for fixed ones: they are node for node the same, and differ in constants that are the
 * batch's size times something plus something (shapes, repetitions, ends of slices) or that repeat along the batch
 * (states that begin at zero). Those are computed from the shape of `input` when the graph runs. Undefined where the graphs
 * differ in another way.
 */
export function anyBatch(graphOf: (batch: number) => OnnxGraph, input: string): OnnxGraph | undefined {
  const graphs = SIZES.map(graphOf);
  const [first, ...others] = graphs;
  const nodes = JSON.stringify(first.nodes);
  if (others.some((other) => JSON.stringify(other.nodes) !== nodes)) return undefined;

  const size = "batchSize";
  const made: OnnxNode[] = [{ op: "Shape", inputs: [input], outputs: [size], attributes: { start: 0, end: 1 } }];
  const initializers: Initializer[] = [];
  for (const [i, constant] of first.initializers.entries()) {
    const alike = graphs.map((graph) => graph.initializers[i]);
    if (alike.every((other) => sameConstant(other, constant))) {
      initializers.push(constant);
      continue;
    }
    const replacement = affineIntegers(alike, size) ?? repeatedConstant(alike, size);
    if (replacement === undefined) return undefined;
    initializers.push(...replacement.initializers);
    made.push(...replacement.nodes);
  }
  const withBatch = (infos: OnnxGraph["inputs"]) =>
    infos.map((info) => ({ ...info, shape: info.name === input ? [BATCH, ...info.shape.slice(1)] : info.shape }));
  return {
    inputs: withBatch(first.inputs),
    outputs: first.outputs.map((info) => ({ ...info, shape: [BATCH, ...info.shape.slice(1)] })),
    initializers,
    nodes: [...made, ...first.nodes],
  };
}

interface Replacement {
  readonly initializers: readonly Initializer[];
  readonly nodes: readonly OnnxNode[];
}

/** A list of integers, each slope · batch + offset. */
function affineIntegers(alike: readonly Initializer[], size: string): Replacement | undefined {
  const [{ name, type, shape }] = alike;
  if (type !== "int64" || alike.some((other) => other.shape.join() !== shape.join())) return undefined;
  const line = affine(alike.map(({ values }) => Array.from(values, Number)));
  return line === undefined ? undefined : lineOfBatch(line, name, size);
}

/** A tensor that is the same along every axis in which its length depends on the batch. */
function repeatedConstant(alike: readonly Initializer[], size: string): Replacement | undefined {
  const [{ name, shape }] = alike;
  const line = affine(alike.map((constant) => [...constant.shape]));
  if (line === undefined || alike.some((constant) => constant.shape.length !== shape.length)) return undefined;
  const core = alike.map((constant) => withoutRepetition(constant, line.slopes));
  const [one] = core;
  if (one === undefined || !core.every((other) => other !== undefined && sameConstant(other, one))) return undefined;
  const part = { ...one, name: `${name}Once` };
  const target = lineOfBatch(line, `${name}Shape`, size);
  return {
    initializers: [...target.initializers, part],
    nodes: [...target.nodes, { op: "Expand", inputs: [part.name, `${name}Shape`], outputs: [name], attributes: {} }],
  };
}

/** The constant with length one along the axes that depend on the batch; undefined where it is not the same along them. */
function withoutRepetition(
  { name, type, shape, values }: Initializer,
  slopes: readonly number[],
): Initializer | undefined {
  const part = shape.map((length, axis) => (slopes[axis] === 0 ? length : 1));
  const kept: number[] = [];
  for (let i = 0, left = 0; i < values.length; i++) {
    // The place in the part that this value repeats, and whether it is the first of its repetitions.
    let place = 0;
    let first = true;
    left = i;
    let stride = values.length;
    for (const [axis, length] of shape.entries()) {
      stride /= length;
      const index = Math.floor(left / stride);
      left -= index * stride;
      if (slopes[axis] === 0) place = place * length + index;
      else if (index > 0) first = false;
    }
    if (first) kept[place] = Number(values[i]);
    else if (kept[place] !== Number(values[i])) return undefined;
  }
  const ArrayOf = values.constructor as new (from: ArrayLike<number>) => Float32Array;
  return { name, type, shape: part, values: new ArrayOf(kept) };
}

interface Line {
  readonly slopes: readonly number[];
  readonly offsets: readonly number[];
}

/** slope · batch + offset for each entry of lists at the three sizes, if they lie on lines. */
function affine(lists: readonly (readonly number[])[]): Line | undefined {
  const [at2, at3, at4] = lists;
  const slopes = at2.map((value, i) => at3[i] - value);
  const offsets = at2.map((value, i) => value - SIZES[0] * slopes[i]);
  const fits = at4.every((value, i) => value === slopes[i] * SIZES[2] + offsets[i]);
  return fits ? { slopes, offsets } : undefined;
}

/** Nodes that make the list of integers `name` from the batch's size. */
function lineOfBatch({ slopes, offsets }: Line, name: string, size: string): Replacement {
  const list = (suffix: string, values: readonly number[]): Initializer => ({
    name: `${name}${suffix}`,
    type: "int64",
    shape: [values.length],
    values: BigInt64Array.from(values, BigInt),
  });
  return {
    initializers: [list("Slopes", slopes), list("Offsets", offsets)],
    nodes: [
      { op: "Mul", inputs: [size, `${name}Slopes`], outputs: [`${name}Scaled`], attributes: {} },
      { op: "Add", inputs: [`${name}Scaled`, `${name}Offsets`], outputs: [name], attributes: {} },
    ],
  };
}

function sameConstant(a: Initializer, b: Initializer): boolean {
  if (a.type !== b.type || a.shape.join() !== b.shape.join() || a.values.length !== b.values.length) return false;
  for (let i = 0; i < a.values.length; i++) if (a.values[i] !== b.values[i]) return false;
  return true;
}
