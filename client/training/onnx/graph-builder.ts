import type { ElementType, Initializer, OnnxAttribute, OnnxGraph, OnnxNode, ValueInfo } from "./model-proto.ts";

/** A tensor in a graph under construction. */
export interface Value {
  readonly name: string;
  readonly type: ElementType;
  readonly shape: readonly number[];
}

export interface ValueType {
  readonly type: ElementType;
  readonly shape: readonly number[];
}

type Attributes = Readonly<Record<string, OnnxAttribute>>;

/** Builds an ONNX graph in topological order; the same operation on the same values is one node. */
export interface GraphBuilder {
  /** `declared` is the shape with symbolic dimensions, where the graph does not fix them. */
  input(name: string, value: ValueType, declared?: readonly (number | string)[]): Value;
  constant(value: ValueType, values: Float32Array | Int32Array | Uint8Array): Value;
  /** A list of integers as ONNX wants it for axes, shapes and pads: int64, one dimension. */
  integers(values: readonly number[]): Value;
  scalar(value: number): Value;
  node(op: string, inputs: readonly Value[], output: ValueType, attributes?: Attributes): Value;
  nodes(op: string, inputs: readonly Value[], outputs: readonly ValueType[], attributes?: Attributes): Value[];
  /** A view with another shape; views of views are views of the first. */
  reshape(value: Value, shape: readonly number[]): Value;
  output(name: string, value: Value): void;
  /** The graph, without the nodes that no output needs. */
  build(): OnnxGraph;
}

/** @param shared whether equal constants are one; not so where they are equal by chance, at one size of batch. */
export function graphBuilder(shared = true): GraphBuilder {
  const inputs: ValueInfo[] = [];
  const outputs: { info: ValueInfo; value: Value }[] = [];
  const initializers: Initializer[] = [];
  const nodes: OnnxNode[] = [];
  const known = new Map<string, Value[]>();
  const viewOf = new Map<string, Value>();
  let count = 0;

  const fresh = ({ type, shape }: ValueType): Value => ({ name: `v${count++}`, type, shape });

  const builder: GraphBuilder = {
    input(name, { type, shape }, declared = shape) {
      inputs.push({ name, type, shape: declared });
      return { name, type, shape };
    },
    constant({ type, shape }, values) {
      const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
      const key = `constant ${type} [${shape}] ${values.length <= 64 ? values.join() : digest(bytes)}`;
      return constantOf(key, () => {
        const value = fresh({ type, shape });
        initializers.push({ name: value.name, type, shape, values });
        return [value];
      })[0];
    },
    integers(values) {
      return constantOf(`integers ${values.join()}`, () => {
        const value = fresh({ type: "int64", shape: [values.length] });
        initializers.push({ ...value, values: BigInt64Array.from(values, BigInt) });
        return [value];
      })[0];
    },
    scalar: (value) => builder.constant({ type: "float32", shape: [] }, Float32Array.of(value)),
    node: (op, from, output, attributes = {}) => builder.nodes(op, from, [output], attributes)[0],
    nodes(op, from, types, attributes = {}) {
      const names = from.map(({ name }) => name);
      return remembered(`${op} ${names.join()} ${JSON.stringify(attributes)} ${types.length}`, () => {
        const values = types.map(fresh);
        nodes.push({ op, inputs: names, outputs: values.map(({ name }) => name), attributes });
        return values;
      });
    },
    reshape(value, shape) {
      const base = viewOf.get(value.name) ?? value;
      if (base.shape.join() === shape.join()) return base;
      const view = builder.node("Reshape", [base, builder.integers(shape)], { type: base.type, shape });
      viewOf.set(view.name, base);
      return view;
    },
    output(name, value) {
      outputs.push({ info: { name, type: value.type, shape: value.shape }, value });
    },
    build() {
      const renamed = new Map<string, string>();
      const made = new Set(nodes.flatMap((node) => node.outputs));
      const copies: OnnxNode[] = [];
      for (const { info, value } of outputs) {
        // An output that is an input, a constant or an output already has to be copied to get a name of its own.
        if (made.has(value.name) && !renamed.has(value.name)) renamed.set(value.name, info.name);
        else {
          const source = renamed.get(value.name) ?? value.name;
          copies.push({ op: "Identity", inputs: [source], outputs: [info.name], attributes: {} });
        }
      }
      const rename = (name: string) => renamed.get(name) ?? name;
      const kept = needed(
        [
          ...nodes.map((node) => ({
            ...node,
            inputs: node.inputs.map(rename),
            outputs: node.outputs.map(rename),
          })),
          ...copies,
        ],
        outputs.map(({ info }) => info.name),
      );
      const read = new Set(kept.flatMap((node) => node.inputs));
      return {
        inputs,
        outputs: outputs.map(({ info }) => info),
        initializers: initializers.filter(({ name }) => read.has(name)),
        nodes: kept,
      };
    },
  };

  function remembered(key: string, make: () => Value[]): Value[] {
    const found = known.get(key);
    if (found !== undefined) return found;
    const values = make();
    known.set(key, values);
    return values;
  }

  function constantOf(key: string, make: () => Value[]): Value[] {
    return shared ? remembered(key, make) : make();
  }

  return builder;
}

/** The nodes, in topological order, that outputs are made of: ONNX Runtime runs the others too. */
function needed(nodes: readonly OnnxNode[], outputs: readonly string[]): OnnxNode[] {
  const read = new Set(outputs);
  return nodes
    .reduceRight<OnnxNode[]>((kept, node) => {
      if (!node.outputs.some((output) => read.has(output))) return kept;
      for (const input of node.inputs) read.add(input);
      kept.push(node);
      return kept;
    }, [])
    .reverse();
}

/** Two 32-bit FNV-1a hashes from different bases: equal constants meet, and unequal ones do not within one graph. */
function digest(bytes: Uint8Array): string {
  let a = 0x811c9dc5;
  let b = 0x01000193;
  for (const byte of bytes) {
    a = Math.imul(a ^ byte, 0x01000193);
    b = Math.imul(b ^ byte, 0x85ebca6b);
  }
  return `${a >>> 0}:${b >>> 0}`;
}
