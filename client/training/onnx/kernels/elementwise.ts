import { backend_util } from "@tensorflow/tfjs-core";
import type { Value, ValueType } from "../graph-builder.ts";
import {
  type KernelAttributes,
  type KernelLowering,
  type KernelTable,
  type LoweringContext,
  producer,
  type TracedValue,
} from "../kernel.ts";
import type { ElementType, OnnxAttribute } from "../model-proto.ts";

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
  LogicalOr: binary("Or", "bool"),
  LogicalNot: unary("Not"),
  NotEqual: {
    ...binary("Equal", "bool"),
    lower: ({ inputs: { a, b } }, { graph, value }) => {
      const type = binary("Equal", "bool").infer({ a, b });
      return graph.node("Not", [graph.node("Equal", [value(a), value(b)], type)], type);
    },
  },
  Pow: binary("Pow"),
  SquaredDifference: {
    ...binary("Sub"),
    lower: ({ inputs: { a, b } }, { graph, value }) => {
      const type = binary("Sub").infer({ a, b });
      const difference = graph.node("Sub", [value(a), value(b)], type);
      return graph.node("Mul", [difference, difference], type);
    },
  },
  AddN: {
    infer: ({ 0: first }) => ({ type: first.type, shape: first.shape }),
    lower: ({ inputs }, { graph, value }) => graph.node("Sum", Object.values(inputs).map(value), inputs[0]),
  },
  Neg: unary("Neg"),
  Floor: unary("Floor"),
  Ceil: unary("Ceil"),
  Sign: unary("Sign"),
  Sin: unary("Sin"),
  Cos: unary("Cos"),
  Reciprocal: unary("Reciprocal"),
  Erf: unary("Erf"),
  Rsqrt: {
    infer: sameAs("x"),
    lower: ({ inputs: { x } }, { graph, value }) => graph.node("Reciprocal", [graph.node("Sqrt", [value(x)], x)], x),
  },
  Log1p: {
    infer: sameAs("x"),
    lower: ({ inputs: { x } }, { graph, value }) =>
      graph.node("Log", [graph.node("Add", [value(x), graph.scalar(1)], x)], x),
  },
  Expm1: {
    infer: sameAs("x"),
    lower: ({ inputs: { x } }, { graph, value }) =>
      graph.node("Sub", [graph.node("Exp", [value(x)], x), graph.scalar(1)], x),
  },
  Exp: unary("Exp"),
  Log: unary("Log"),
  Sqrt: unary("Sqrt"),
  Abs: unary("Abs"),
  Relu: unary("Relu"),
  Sigmoid: unary("Sigmoid"),
  Softplus: unary("Softplus"),
  Relu6: clip(() => [0, 6]),
  ClipByValue: clip(({ clipValueMin, clipValueMax }) => [Number(clipValueMin), Number(clipValueMax)]),
  Elu: unary("Elu"),
  EluGrad: {
    infer: sameAs("dy"),
    lower: ({ inputs: { dy, y } }, { graph, value }) => {
      // e^x − 1 is y, so the slope below zero is y + 1.
      const rising = graph.node("GreaterOrEqual", [value(y), graph.scalar(0)], { type: "bool", shape: y.shape });
      const slope = graph.node("Add", [value(y), graph.scalar(1)], y);
      return graph.node("Where", [rising, value(dy), graph.node("Mul", [value(dy), slope], dy)], dy);
    },
  },
  Selu: unary("Selu", {
    alpha: { float: backend_util.SELU_SCALEALPHA / backend_util.SELU_SCALE },
    gamma: { float: backend_util.SELU_SCALE },
  }),
  LeakyRelu: {
    infer: sameAs("x"),
    lower: ({ inputs: { x }, attributes }, { graph, value }) =>
      graph.node("LeakyRelu", [value(x)], x, { alpha: { float: Number(attributes.alpha) } }),
  },
  Prelu: {
    infer: sameAs("x"),
    lower: ({ inputs: { x, alpha } }, { graph, value }) => graph.node("PRelu", [value(x), value(alpha)], x),
  },
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
    case "elu":
      return graph.node("Elu", [value], value);
    case "relu6":
      return graph.node("Clip", [value, graph.scalar(0), graph.scalar(6)], value);
    default:
      throw new Error(`A fused kernel asks for the activation ${String(name)}, which is not lowered.`);
  }
}

function unary(op: string, attributes: Readonly<Record<string, OnnxAttribute>> = {}): KernelLowering {
  return {
    infer: sameAs("x"),
    lower: ({ inputs: { x } }, { graph, value }) => graph.node(op, [value(x)], x, attributes),
  };
}

function clip(bounds: (attributes: KernelAttributes) => readonly [number, number]): KernelLowering {
  return {
    infer: sameAs("x"),
    lower: ({ inputs: { x }, attributes }, { graph, value }) => {
      const [low, high] = bounds(attributes).map((bound) => graph.scalar(bound));
      return graph.node("Clip", [value(x), low, high], x);
    },
  };
}

function binary(op: string, type?: ElementType): BinaryLowering {
  const infer = ({ a, b }: Readonly<Record<string, TracedValue>>): ValueType => ({
    type: type ?? a.type,
    shape: backend_util.assertAndGetBroadcastShape([...a.shape], [...b.shape]),
  });
  return {
    infer,
    lower: ({ inputs: { a, b } }, { graph, value }) => graph.node(op, [value(a), value(b)], infer({ a, b })),
  };
}

interface BinaryLowering extends KernelLowering {
  infer(inputs: Readonly<Record<string, TracedValue>>): ValueType;
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
