/** A model's parameters, all of them, in one vector. Clipping, quantising, masking and storing never see layers. */
export type ParameterVector = Float32Array;

/** Where one tensor lies in the flat vector. */
export interface TensorEntry {
  readonly name: string;
  readonly shape: readonly number[];
  /** First coordinate. */
  readonly offset: number;
  readonly size: number;
  readonly kind: TensorKind;
}

/**
 * How training changes a tensor: by the gradient; not at all (a frozen layer); or, as batch normalisation does with its
 * moving averages, by `statistics` of the examples, which neither gradient clipping nor decay nor a proximal term sees.
 */
export type TensorKind = "trained" | "frozen" | "statistics";

/** Names and shapes over a flat vector, in the order of the model's weights. */
export interface ParameterManifest {
  readonly tensors: readonly TensorEntry[];
  readonly size: number;
}

export function parameterManifest(tensors: readonly Pick<TensorEntry, "name" | "shape" | "kind">[]): ParameterManifest {
  const entries: TensorEntry[] = [];
  let offset = 0;
  for (const { name, shape, kind } of tensors) {
    const size = shape.reduce((product, length) => product * length, 1);
    entries.push({ name, shape, offset, size, kind });
    offset += size;
  }
  return { tensors: entries, size: offset };
}

/** The little-endian bytes that are hashed, stored and sent (every platform that Node or a browser runs on is). */
export function parameterBytes(parameters: ParameterVector): Uint8Array {
  return new Uint8Array(parameters.buffer, parameters.byteOffset, parameters.byteLength);
}

/** The parameters of such bytes, which are theirs from then on where they are aligned for it. */
export function parametersFromBytes(bytes: Uint8Array): ParameterVector {
  const aligned = bytes.byteOffset % Float32Array.BYTES_PER_ELEMENT === 0 ? bytes : bytes.slice();
  return new Float32Array(aligned.buffer, aligned.byteOffset, aligned.byteLength / Float32Array.BYTES_PER_ELEMENT);
}
