import type { SeededRandom } from "../../random/seeded-random.ts";
import type { DeclaredInitializer, WeightDeclaration } from "./declared-weights.ts";

type Config = Readonly<Record<string, unknown>>;
type Draw = (config: Config, shape: readonly number[], values: Float32Array, random: SeededRandom) => void;

/**
 * tf.layers' initialisers by their class name, drawn from a stream of ours. The names of the fan-based ones (Glorot, He,
 * LeCun) are all VarianceScaling.
 */
const INITIALIZERS: Readonly<Record<string, Draw>> = {
  Zeros: (_, __, values) => values.fill(0),
  Ones: (_, __, values) => values.fill(1),
  Constant: ({ value }, _, values) => values.fill(Number(value)),
  RandomUniform: ({ minval, maxval }, _, values, random) => {
    const [low, high] = [Number(minval), Number(maxval)];
    for (let i = 0; i < values.length; i++) values[i] = low + (high - low) * random.uniform();
  },
  RandomNormal: ({ mean, stddev }, _, values, random) => {
    for (let i = 0; i < values.length; i++) values[i] = Number(mean) + Number(stddev) * random.normal();
  },
  TruncatedNormal: ({ mean, stddev }, _, values, random) => {
    for (let i = 0; i < values.length; i++) values[i] = Number(mean) + Number(stddev) * truncatedNormal(random);
  },
  VarianceScaling: varianceScaling,
  Orthogonal: orthogonal,
  Identity: ({ gain }, shape, values) => {
    values.fill(0);
    for (let i = 0; i < shape[0]; i++) values[i * shape[0] + i] = Number(gain);
  },
};

/**
 * Fills `values` as the weight's initialiser declares.
 *
 * @throws when it has no seeded form, by the weight's name.
 */
export function drawWeight(
  declaration: WeightDeclaration,
  weight: string,
  shape: readonly number[],
  values: Float32Array,
  random: SeededRandom,
): void {
  const { initializer, layer } = declaration;
  const forget = forgetBiasOf(declaration);
  if (forget !== undefined) {
    forgetBias(forget, layer, weight, values, random);
    return;
  }
  const className = initializer.getClassName();
  const draw = INITIALIZERS[className];
  if (draw === undefined) {
    throw new Error(`The weight "${weight}" declares the initialiser ${className}, which has no seeded form.`);
  }
  draw(initializer.getConfig(), shape, values, random);
}

/**
 * Variance scale / fan, uniform or normal cut at two standard deviations. Glorot & Bengio 2010, equation 16, is scale 1,
 * the mean of both fans, uniform: ±√(6 / (fan in + fan out)).
 */
function varianceScaling(config: Config, shape: readonly number[], values: Float32Array, random: SeededRandom): void {
  const { scale = 1, mode = "fanAvg", distribution = "uniform" } = config;
  const [fanIn, fanOut] = fans(shape);
  const fan = mode === "fanIn" ? fanIn : mode === "fanOut" ? fanOut : (fanIn + fanOut) / 2;
  const variance = Number(scale) / Math.max(1, fan);
  if (distribution === "uniform") {
    const limit = Math.sqrt(3 * variance);
    for (let i = 0; i < values.length; i++) values[i] = limit * (2 * random.uniform() - 1);
    return;
  }
  const deviation = Math.sqrt(variance);
  for (let i = 0; i < values.length; i++) values[i] = deviation * truncatedNormal(random);
}

function fans(shape: readonly number[]): [fanIn: number, fanOut: number] {
  if (shape.length < 2) return [Math.sqrt(shape[0] ?? 1), Math.sqrt(shape[0] ?? 1)];
  const receptiveField = shape.slice(0, -2).reduce((product, length) => product * length, 1);
  return [receptiveField * shape[shape.length - 2], receptiveField * shape[shape.length - 1]];
}

/** Standard normal, drawn again where it is farther than two deviations out. */
function truncatedNormal(random: SeededRandom): number {
  let z = random.normal();
  while (Math.abs(z) > 2) z = random.normal();
  return z;
}

/**
 * Saxe et al. 2014 (arXiv 1312.6120): a random matrix with orthonormal rows or columns, whichever are fewer, times the
 * gain. Normal vectors made orthonormal in turn are uniform among such matrices, and need no correction of signs.
 */
function orthogonal({ gain }: Config, shape: readonly number[], values: Float32Array, random: SeededRandom): void {
  const columns = shape[shape.length - 1];
  const rows = values.length / columns;
  const [vectors, length] = rows <= columns ? [rows, columns] : [columns, rows];
  const basis: Float64Array[] = [];
  while (basis.length < vectors) {
    const vector = Float64Array.from({ length }, () => random.normal());
    // Twice, because what rounding leaves of a long projection is removed by the second one (Giraud et al. 2005).
    for (let pass = 0; pass < 2; pass++) for (const unit of basis) subtractProjection(vector, unit);
    const norm = Math.sqrt(dot(vector, vector));
    basis.push(vector.map((value) => value / norm));
  }
  for (let i = 0; i < values.length; i++) {
    const [row, column] = [Math.floor(i / columns), i % columns];
    values[i] = Number(gain) * (rows <= columns ? basis[row][column] : basis[column][row]);
  }
}

function subtractProjection(vector: Float64Array, unit: Float64Array): void {
  const along = dot(vector, unit);
  for (let i = 0; i < vector.length; i++) vector[i] -= along * unit[i];
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

interface ForgetBias {
  readonly units: number;
  readonly biasInitializer: DeclaredInitializer;
}

/** An LSTM cell wraps its bias's initialiser in one of its own, which sets the forget gate's part to one. */
function forgetBiasOf({ name, initializer, layer }: WeightDeclaration): ForgetBias | undefined {
  const cell = layer as Partial<ForgetBias> & { readonly unitForgetBias?: boolean };
  if (name !== "bias" || cell.unitForgetBias !== true || cell.biasInitializer === initializer) return undefined;
  if (cell.units === undefined || cell.biasInitializer === undefined) return undefined;
  return { units: cell.units, biasInitializer: cell.biasInitializer };
}

/** The gates in tf.layers' order: input, forget, cell, output. Jozefowicz et al. 2015: a forget bias of one. */
function forgetBias(
  { units, biasInitializer: initializer }: ForgetBias,
  layer: object,
  weight: string,
  values: Float32Array,
  random: SeededRandom,
): void {
  const declaration = { name: "gates", initializer, trainable: true, constrained: false, layer };
  const draw = (part: Float32Array) => drawWeight(declaration, weight, [part.length], part, random);
  draw(values.subarray(0, units));
  values.fill(1, units, 2 * units);
  draw(values.subarray(2 * units));
}
