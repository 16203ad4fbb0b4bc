import { backend_util } from "@tensorflow/tfjs-core";
import type { Value, ValueType } from "../graph-builder.ts";
import { type KernelLowering, type KernelTable, type LoweringContext, producer, type TracedValue } from "../kernel.ts";
import type { ElementType } from "../model-proto.ts";

/** Kernels that act on each element alone, with broadcasting. */
export const ELEMENTWISE: KernelTable = {
  Add: binary("Add"),
  Sub: binary("Sub"),
  Multiply: {
    ...binary("Mul"),
    lower: ({ inputs: { a, b } }, context) => {
      const selected = multiplyByStep(a, b, context) ?? multiplyByStep(b, a, context);
      return (
        selected ?? binary("Mul").lower({ name: "Multiply", inputs: { a, b }, attributes: {}, layer: "" }, context)
      );
    },
  },
  RealDiv: binary("Div"),
  Maximum: binary("Max"),
  Minimum: binary("Min"),
  Equal: binary("Equal", "bool"),
  Greater: binary("Greater", "bool"),
  GreaterEqual: binary("GreaterOrEqual", "bool"),
  Less: binary("Less", "bool"),
  LessEqual: binary("LessOrEqual", "bool"),
  LogicalAnd: binary("And", "bool"),
  Neg: unary("Neg"),
  Exp: unary("Exp"),
  Log: unary("Log"),
  Sqrt: unary("Sqrt"),
  Abs: unary("Abs"),
  Relu: unary("Relu"),
  Sigmoid: unary("Sigmoid"),
  Softplus: unary("Softplus"),
  Tanh: unary("Tanh"),
  Square: {
    infer: sameAs("x"),
    lower: ({ inputs: { x } }, { graph, value }) => graph.node("Mul", [value(x), value(x)], x),
  },
  Step: {
    infer: sameAs("x"),
    lower: ({ inputs: { x }, attributes }, { graph, value }) => {
      const positive = graph.node("Greater", [value(x), graph.scalar(0)], { type: "bool", shape: x.shape });
      return graph.node("Where", [positive, graph.scalar(1), graph.scalar(Number(attributes.alpha ?? 0))], x);
    },
  },
  Select: {
    infer: ({ t }) => ({ type: t.type, shape: t.shape }),
    lower: ({ inputs: { condition, t, e } }, { graph, value }) =>
      graph.node("Where", [value(condition), value(t), value(e)], t),
  },
  Cast: {
    infer: ({ x }, { dtype }) => ({ type: dtype as ElementType, shape: x.shape }),
    lower: ({ inputs: { x }, attributes }, context) =>
      castTo(attributes.dtype as ElementType, context.value(x), context),
  },
  Identity: { infer: sameAs("x"), lower: ({ inputs: { x } }, { value }) => value(x) },
};

const CAST_TARGET = { float32: 1, int32: 6, int64: 7, bool: 9 } as const;

/** ONNX's Cast; the element type it has already is left alone. */
export function castTo(type: ElementType, value: Value, { graph }: Pick<LoweringContext, "graph">): Value {
  if (value.type === type) return value;
  return graph.node("Cast", [value], { type, shape: value.shape }, { to: CAST_TARGET[type] });
}

/** The activation that a fused kernel names. */
export function activate(name: unknown, value: Value, { graph }: LoweringContext): Value {
  switch (name) {
    case undefined:
    case null:
    case "linear":
      return value;
    case "relu":
      return graph.node("Relu", [value], value);
    case "sigmoid":
      return graph.node("Sigmoid", [value], value);
    default:
      throw new Error(`A fused kernel asks for the activation ${String(name)}, which is not lowered.`);
  }
}

function unary(op: string): KernelLowering {
  return {
    infer: sameAs("x"),
    lower: ({ inputs: { x } }, { graph, value }) => graph.node(op, [value(x)], x),
  };
}

function binary(op: string, type?: ElementType): KernelLowering {
  const infer: KernelLowering["infer"] = ({ a, b }) => ({
    type: type ?? a.type,
    shape: backend_util.assertAndGetBroadcastShape([...a.shape], [...b.shape]),
  });
  return {
    infer,
    lower: ({ inputs: { a, b } }, { graph, value }) => graph.node(op, [value(a), value(b)], infer({ a, b }, {})),
  };
}

function sameAs(input: string): KernelLowering["infer"] {
  return (inputs): ValueType => ({ type: inputs[input].type, shape: inputs[input].shape });
}

/** ReLU's gradient, dy · step(x), as one selection. */
function multiplyByStep(step: TracedValue, dy: TracedValue, { graph, value }: LoweringContext): Value | undefined {
  const kernel = producer(step, ["Identity", "Cast"]);
  if (kernel?.name !== "Step" || (kernel.attributes.alpha ?? 0) !== 0) return undefined;
  const { x } = kernel.inputs;
  if (x.shape.join() !== dy.shape.join()) return undefined;
  const positive = graph.node("Greater", [value(x), graph.scalar(0)], { type: "bool", shape: x.shape });
  return graph.node("Where", [positive, value(dy), graph.scalar(0)], { type: "float32", shape: dy.shape });
}
