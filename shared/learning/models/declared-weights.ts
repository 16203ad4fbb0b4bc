import * as tf from "@tensorflow/tfjs-layers";

/** What a layer says about a weight when it adds it. */
export interface WeightDeclaration {
  readonly name: string;
  readonly initializer: DeclaredInitializer;
  /** False for what a layer changes itself in training, such as the moving averages of batch normalisation. */
  readonly trainable: boolean;
  readonly constrained: boolean;
  /** The layer that added it: for a recurrent layer, its cell. */
  readonly layer: object;
}

export interface DeclaredInitializer {
  getClassName(): string;
  getConfig(): Readonly<Record<string, unknown>>;
}

type Weight = tf.LayersModel["weights"][number];

const DECLARATIONS = new WeakMap<Weight, WeightDeclaration>();

/** What was declared of a weight that was added within {@link declaringWeights}. */
export function declarationOf(weight: Weight): WeightDeclaration {
  const declaration = DECLARATIONS.get(weight);
  if (declaration === undefined) throw new Error(`The weight "${weight.originalName}" was not added while building.`);
  return declaration;
}

type AddWeight = (
  name: string,
  shape: number[],
  dtype: string | undefined,
  initializer: DeclaredInitializer,
  regularizer?: unknown,
  trainable?: boolean,
  constraint?: unknown,
  getInitializer?: unknown,
) => Weight;

/**
 * Runs `build`, which adds layers' weights, and notes what is declared of them. They are filled with zeros: what
 * tf.layers would draw is overwritten anyway, is not reproducible, and takes tfjs minutes for a large orthogonal matrix.
 */
export function declaringWeights<T>(build: () => T): T {
  const prototype = tf.layers.Layer.prototype as unknown as { addWeight: AddWeight };
  const original = prototype.addWeight;
  const zeros = tf.initializers.zeros();
  prototype.addWeight = function (this: object, name, shape, dtype, initializer, regularizer, trainable, constraint) {
    const rest = [regularizer, trainable, constraint] as const;
    const weight = original.call(this, name, shape, dtype, zeros, ...rest);
    const constrained = constraint !== undefined && constraint !== null;
    DECLARATIONS.set(weight, { name, initializer, trainable: trainable ?? true, constrained, layer: this });
    return weight;
  };
  try {
    return build();
  } finally {
    prototype.addWeight = original;
  }
}
