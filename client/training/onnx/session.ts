import "./without-telemetry.ts";
import * as ort from "onnxruntime-node";
import { encodeModel, type OnnxGraph } from "./model-proto.ts";

export type TensorMap = Record<string, ort.Tensor>;

/** A compiled graph. Inputs and outputs are buffers of the caller's; an output buffer is written in place. */
export interface GraphSession {
  run(inputs: TensorMap, outputs: TensorMap): Promise<void>;
  release(): Promise<void>;
}

const OPTIONS: ort.InferenceSession.SessionOptions = {
  // Parallelism is across devices, one session a worker: threads inside a step of this size only wait for each other.
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
  executionMode: "sequential",
  graphOptimizationLevel: "all",
  logSeverityLevel: 3,
};

export async function openSession(graph: OnnxGraph): Promise<GraphSession> {
  const session = await ort.InferenceSession.create(encodeModel(graph), OPTIONS);
  return {
    run: async (inputs, outputs) => {
      await session.run(inputs, outputs);
    },
    release: () => session.release(),
  };
}

export function floatTensor(values: Float32Array, shape: readonly number[]): ort.Tensor {
  return new ort.Tensor("float32", values, shape);
}

export function intTensor(values: Int32Array, shape: readonly number[] = [values.length]): ort.Tensor {
  return new ort.Tensor("int32", values, shape);
}

export function boolTensor(values: Uint8Array): ort.Tensor {
  return new ort.Tensor("bool", values, [values.length]);
}
