import { describe, expect, it } from "vitest";
import { cnn } from "../../../../shared/learning/models/cnn.ts";
import { forwardMacsFor } from "../../../../shared/learning/models/model-cost.ts";
import type { ModelDefinition, TfLayers } from "../../../../shared/learning/models/model-definition.ts";
import { twoNN } from "../../../../shared/learning/models/two-nn.ts";
import type { MurmurError } from "../../../../shared/protocol/errors.ts";

const zeros = { kernelInitializer: "zeros" } as const;

function definition(
  inputShape: number[],
  outputs: number,
  createModel: ModelDefinition["createModel"],
): ModelDefinition {
  return { name: "m", title: "m", inputShape, outputs, loss: "softmaxCrossEntropy", createModel };
}

type SequentialLayers = ReturnType<TfLayers["sequential"]>["layers"];

function macs(inputShape: number[], outputs: number, layers: (tf: TfLayers["layers"]) => SequentialLayers): number {
  return forwardMacsFor(
    definition(inputShape, outputs, (tf) =>
      tf.sequential({ layers: [tf.layers.inputLayer({ inputShape }), ...layers(tf.layers)] }),
    ),
  );
}

describe("the multiply-accumulates of a forward pass", () => {
  it("are those of McMahan et al.'s models", () => {
    expect(forwardMacsFor(twoNN)).toBe(198_800);
    // 28² · 25 · 32 + 14² · 25 · 32 · 64 + 3136 · 512 + 512 · 10
    expect(forwardMacsFor(cnn)).toBe(627_200 + 10_035_200 + 1_605_632 + 5_120);
  });

  it("are 17.2 million for the LEAF FEMNIST CNN", () => {
    const femnist = macs([28, 28, 1], 62, (layers) => [
      layers.conv2d({ filters: 32, kernelSize: 5, padding: "same", ...zeros }),
      layers.maxPooling2d({ poolSize: 2 }),
      layers.conv2d({ filters: 64, kernelSize: 5, padding: "same", ...zeros }),
      layers.maxPooling2d({ poolSize: 2 }),
      layers.flatten(),
      layers.dense({ units: 2048, ...zeros }),
      layers.dense({ units: 62, ...zeros }),
    ]);
    expect(femnist).toBe(17_211_904);
  });

  it("are 569 million for MobileNet, with depthwise and pointwise layers or with separable ones", () => {
    // Howard et al. 2017 (arXiv 1704.04861), table 1: stride and filters of each depthwise separable block.
    const blocks = [
      [1, 64],
      [2, 128],
      [1, 128],
      [2, 256],
      [1, 256],
      [2, 512],
      ...Array(5).fill([1, 512]),
      [2, 1024],
      [1, 1024],
    ];
    const mobileNet = (block: (tf: TfLayers["layers"], strides: number, filters: number) => SequentialLayers) =>
      macs([224, 224, 3], 1000, (layers) => [
        layers.conv2d({ filters: 32, kernelSize: 3, strides: 2, padding: "same", useBias: false, ...zeros }),
        ...blocks.flatMap(([strides, filters]) => block(layers, strides, filters)),
        layers.globalAveragePooling2d({}),
        layers.dense({ units: 1000, ...zeros }),
      ]);
    const same = { padding: "same", useBias: false } as const;
    const depthwise = mobileNet((layers, strides, filters) => [
      layers.depthwiseConv2d({ kernelSize: 3, strides, ...same, depthwiseInitializer: "zeros" }),
      layers.batchNormalization(),
      layers.conv2d({ filters, kernelSize: 1, ...same, ...zeros }),
    ]);
    expect(Math.round(depthwise / 1e6)).toBe(569);
    const separable = mobileNet((layers, strides, filters) => [
      layers.separableConv2d({
        filters,
        kernelSize: 3,
        strides,
        ...same,
        depthwiseInitializer: "zeros",
        pointwiseInitializer: "zeros",
      }),
    ]);
    expect(separable).toBe(depthwise);
  });

  it("count a recurrent layer's kernels at each time step, and a look-up as nothing", () => {
    const cell = 8 * 4 * 256 + 256 * 4 * 256;
    const recurrent = (wrap: (tf: TfLayers["layers"]) => SequentialLayers) =>
      macs([80], 90, (layers) => [
        layers.embedding({ inputDim: 90, outputDim: 8 }),
        ...wrap(layers),
        layers.dense({ units: 90, ...zeros }),
      ]);
    const recurrentInitializer = "zeros";
    expect(recurrent(({ lstm }) => [lstm({ units: 256, ...zeros, recurrentInitializer })])).toBe(80 * cell + 256 * 90);
    expect(recurrent(({ gru }) => [gru({ units: 256, ...zeros, recurrentInitializer })])).toBe(
      80 * 0.75 * cell + 256 * 90,
    );
    expect(
      recurrent((tf) => {
        const layer = tf.lstm({ units: 256, ...zeros, recurrentInitializer });
        return [tf.bidirectional({ layer, mergeMode: "concat" })];
      }),
    ).toBe(2 * 80 * cell + 512 * 90);
  });

  it("count a layer in each place where it is applied, and a nested model as its layers", () => {
    const shared = definition([6, 4], 3, (tf) => {
      const input = tf.layers.inputLayer({ inputShape: [6, 4] }).inboundNodes[0].outputTensors[0];
      const inner = tf.sequential({ layers: [tf.layers.dense({ units: 4, inputShape: [6, 4], name: "inner" })] });
      const twice = tf.layers.dense({ units: 4, name: "twice" });
      const step = tf.layers.timeDistributed({ layer: tf.layers.dense({ units: 5 }), name: "steps" });
      const values = step.apply(twice.apply(twice.apply(inner.apply(input))));
      const logits = tf.layers.dense({ units: 3, name: "logits" }).apply(tf.layers.flatten().apply(values));
      return tf.model({ inputs: input, outputs: logits as typeof input });
    });
    expect(forwardMacsFor(shared)).toBe(6 * 16 + 2 * 6 * 16 + 6 * 20 + 30 * 3);
  });

  it("count a transposed convolution by its inputs", () => {
    const transposed = macs([7, 7, 16], 2, (layers) => [
      layers.conv2dTranspose({ filters: 8, kernelSize: 3, strides: 2, padding: "same", ...zeros }),
      layers.globalAveragePooling2d({}),
      layers.dense({ units: 2, ...zeros }),
    ]);
    expect(transposed).toBe(49 * 9 * 16 * 8 + 16);
  });

  it("are refused for shapes that are open", () => {
    const open = definition([null as never, 4], 2, (tf) =>
      tf.sequential({
        layers: [
          tf.layers.lstm({ units: 3, inputShape: [null as never, 4], name: "open", recurrentInitializer: "zeros" }),
          tf.layers.dense({ units: 2 }),
        ],
      }),
    );
    expect(() => forwardMacsFor(open)).toThrow(
      expect.objectContaining({ name: "config-invalid", message: expect.stringContaining('"open"') }) as MurmurError,
    );
  });
});
