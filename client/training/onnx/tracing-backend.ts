import * as tf from "@tensorflow/tfjs-core";
import { withBackend } from "../../../shared/learning/models/backend-scope.ts";
import { registerGradients } from "../tfjs-gradients.ts";
import type { ValueType } from "./graph-builder.ts";
import {
  type KernelAttributes,
  type KernelLowering,
  producer,
  sizeOf,
  type TracedKernel,
  type TracedValue,
} from "./kernel.ts";
import { KERNELS } from "./kernels/index.ts";
import type { ElementType } from "./model-proto.ts";
import { UntraceableModelError } from "./untraceable-model-error.ts";

const NAME = "murmuration-tracer";

type TracedArray = Float32Array | Int32Array | Uint8Array;

/** What a function traced with {@link traced} works with. */
export interface Tracing {
  /** A tensor whose value is not known until the graph runs. */
  input(name: string, type: ElementType, shape: readonly number[]): tf.Tensor;
  /** Gives a tensor that exists, a model's weight, no value but a name: it becomes an input of the graph. */
  asInput(tensor: tf.Tensor, name: string): void;
  /** What is known about a tensor's origin. */
  valueOf(tensor: tf.Tensor): TracedValue;
  /** Kernels called so far. */
  calls(): number;
  /** Runs `body`; the kernels that it calls are this layer's. */
  inLayer<T>(layer: string, body: () => T): T;
}

/**
 * Runs `body` under a tfjs backend that computes nothing and records each kernel call. tfjs's own shape rules, layers and
 * automatic differentiation run as they are; what they ask of the backend is the computation.
 *
 * @throws UntraceableModelError when a kernel has no ONNX form, or when an operation looks at a value.
 */
export function traced<T>(body: (tracing: Tracing) => T extends PromiseLike<unknown> ? never : T): T {
  if (tf.engine().findBackendFactory(NAME) === null) registerTracer();
  return withBackend(NAME, () => {
    const backend = tf.backend() as TracingBackend;
    return backend.session(body);
  }) as T;
}

/** Answers tfjs with tensors that have a shape and no value. */
class TracingBackend extends tf.KernelBackend {
  private values = new WeakMap<object, TracedValue>();
  private references = new Map<object, number>();
  private layer: string | undefined;
  private calls = 0;
  private lastKernel: string | undefined;

  session<T>(body: (tracing: Tracing) => T): T {
    this.layer = undefined;
    this.calls = 0;
    return body({
      calls: () => this.calls,
      input: (name, type, shape) => {
        const dataId = this.remember({ type, shape, source: { kind: "input", name } });
        return tf.engine().makeTensorFromDataId(dataId, [...shape], type as tf.DataType, this);
      },
      asInput: (tensor, name) => {
        const { type, shape } = this.known(tensor.dataId);
        this.values.set(tensor.dataId, { type, shape, source: { kind: "input", name } });
      },
      valueOf: (tensor) => this.known(tensor.dataId),
      inLayer: (layer, run) => {
        const outer = this.layer;
        this.layer = layer;
        try {
          return run();
        } finally {
          this.layer = outer;
        }
      },
    });
  }

  call(name: string, inputs: tf.NamedTensorInfoMap, attributes: KernelAttributes): tf.TensorInfo | tf.TensorInfo[] {
    const known: Record<string, TracedValue> = {};
    for (const [key, info] of Object.entries(inputs)) {
      if (info !== undefined && info !== null) known[key] = this.known(info.dataId);
    }
    const layer = this.layer ?? layerOf(Object.values(known));
    this.lastKernel = name;
    this.calls++;
    const lowering = KERNELS[name];
    if (lowering === undefined) {
      throw new UntraceableModelError(`the kernel ${name} has no ONNX form here`, { kernel: name, layer });
    }
    const kernel = { name, inputs: known, attributes: { ...attributes }, layer };
    const result = ({ type, shape }: ValueType, index: number): tf.TensorInfo => {
      const dataId = this.remember({ type, shape, source: { kind: "kernel", kernel, index } });
      return { dataId, shape: [...shape], dtype: type as tf.DataType };
    };
    const inferred = this.inferred(lowering, kernel);
    return "shape" in inferred ? result(inferred, 0) : inferred.map(result);
  }

  private inferred({ infer }: KernelLowering, { name, inputs, attributes, layer }: TracedKernel) {
    try {
      return infer(inputs, attributes);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new UntraceableModelError(`the kernel ${name} cannot be traced: ${reason}`, { kernel: name, layer });
    }
  }

  private remember(value: TracedValue): tf.DataId {
    const dataId = {};
    this.values.set(dataId, value);
    this.references.set(dataId, 1);
    return dataId;
  }

  private known(dataId: object): TracedValue {
    const value = this.values.get(dataId);
    if (value === undefined) throw new Error("A tensor of another backend reached the tracer.");
    return value;
  }

  override write(values: tf.BackendValues | null, shape: number[], dtype: tf.DataType): tf.DataId {
    // tfjs writes no values for zeros on some paths.
    const array = (values ?? new Float32Array(sizeOf(shape))) as TracedArray;
    return this.remember({ type: dtype as ElementType, shape, source: { kind: "constant", values: array } });
  }

  override move(dataId: tf.DataId, values: tf.BackendValues, shape: number[], dtype: tf.DataType, count: number): void {
    this.values.set(dataId, {
      type: dtype as ElementType,
      shape,
      source: { kind: "constant", values: values as TracedArray },
    });
    this.references.set(dataId, count);
  }

  override readSync(): never {
    throw new UntraceableModelError("an operation looks at a value, which is not known before the graph runs", {
      kernel: this.lastKernel,
      layer: this.layer,
    });
  }

  override read(): never {
    return this.readSync();
  }

  override incRef(dataId: object): void {
    this.references.set(dataId, this.refCount(dataId) + 1);
  }

  override refCount(dataId: object): number {
    return this.references.get(dataId) ?? 0;
  }

  /** tfjs forgets a tensor here; the recording holds on to what later kernels were computed from. */
  override disposeData(dataId: object): boolean {
    const left = this.refCount(dataId) - 1;
    if (left > 0) this.references.set(dataId, left);
    else this.references.delete(dataId);
    return left <= 0;
  }

  override numDataIds(): number {
    return this.references.size;
  }

  override memory(): { unreliable: boolean } {
    return { unreliable: false };
  }

  override floatPrecision(): 32 {
    return 32;
  }

  override epsilon(): number {
    return 1e-7;
  }

  override dispose(): void {}
}

/** A gradient's kernel belongs to the layer whose values it reads; the loss has none. */
function layerOf(inputs: readonly TracedValue[]): string | undefined {
  for (const input of inputs) {
    const layer = producer(input)?.layer;
    if (layer !== undefined) return layer;
  }
  return undefined;
}

function registerTracer(): void {
  registerGradients();
  const backend = new TracingBackend();
  tf.registerBackend(NAME, () => backend, 0);
  const names = new Set([
    ...Object.keys(KERNELS),
    ...tf.getKernelsForBackend("cpu").map(({ kernelName }) => kernelName),
  ]);
  for (const kernelName of names) {
    tf.registerKernel({
      kernelName,
      backendName: NAME,
      kernelFunc: ({ inputs, attrs }) => backend.call(kernelName, inputs, attrs ?? {}),
    });
  }
}
