import type { KernelTable } from "../kernel.ts";

/** Normalisation with given mean and variance; batch, layer and group normalisation compute those by other kernels. */
export const NORMALISATION: KernelTable = {
  FusedBatchNorm: {
    infer: ({ x }) => ({ type: "float32", shape: x.shape }),
    /** (x − mean) · scale / √(variance + ε) + offset. Statistics are broadcast, so they may be of any shape that fits. */
    lower: ({ inputs: { x, mean, variance, scale, offset }, attributes }, { graph, value }) => {
      const epsilon = graph.scalar(Number(attributes.varianceEpsilon ?? 0.001));
      const deviation = graph.node("Sqrt", [graph.node("Add", [value(variance), epsilon], variance)], variance);
      const centred = graph.node("Sub", [value(x), value(mean)], x);
      const normal = graph.node("Div", [centred, deviation], x);
      const scaled = scale === undefined ? normal : graph.node("Mul", [normal, value(scale)], x);
      return offset === undefined ? scaled : graph.node("Add", [scaled, value(offset)], x);
    },
  },
};
