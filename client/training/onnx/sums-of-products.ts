import { sizeOf, type TracedKernel, type TracedValue } from "./kernel.ts";
import { orderOf, soleProducer, useCounts } from "./uses.ts";

/** Fewer products than this are not worth putting their rows together. */
const FEWEST = 3;

/**
 * A function from traced values to values in which sums of products are one product: Σ_t a_tᵀ b_t = Aᵀ B with the rows of
 * all t in A and B. So comes the gradient of a weight that every step of a recurrent layer reads, where tfjs writes and adds
 * a matrix as large as the weight for each step.
 *
 * @param outputs all that will be asked for: what else reads a product keeps it as it is
 */
export function mergedSums(outputs: readonly TracedValue[]): (value: TracedValue) => TracedValue {
  const uses = useCounts(outputs);
  const order = orderOf(outputs);
  const sums = new Map<TracedValue, Sum>();
  const absorbed = new Set<TracedValue>();
  // From the outputs back, so that a sum is met before the sums that it is made of.
  for (const value of [...order].reverse()) {
    if (absorbed.has(value)) continue;
    const sum = sumOf(value, uses);
    if (sum.products.length < FEWEST) continue;
    sums.set(value, sum);
    for (const part of sum.inner) absorbed.add(part);
  }
  if (sums.size === 0) return (value) => value;

  const kernels = new Map<TracedKernel, TracedKernel>();
  const values = new Map<TracedValue, TracedValue>();
  const merged = (value: TracedValue): TracedValue => values.get(value) ?? value;
  for (const value of order) {
    const { source } = value;
    if (source.kind !== "kernel" || absorbed.has(value)) continue;
    const sum = sums.get(value);
    if (sum !== undefined) values.set(value, mergedSum(value, sum, merged));
    else values.set(value, { ...value, source: { ...source, kernel: rebuilt(source.kernel) } });
  }

  function rebuilt(kernel: TracedKernel): TracedKernel {
    const known = kernels.get(kernel);
    if (known !== undefined) return known;
    const made = { ...kernel, inputs: mapped(kernel.inputs, merged) };
    kernels.set(kernel, made);
    return made;
  }

  return merged;
}

/** A sum's parts: kernels aᵀ b, other addends, and the sums and views in between, which nothing else reads. */
interface Sum {
  readonly products: readonly TracedKernel[];
  readonly rest: readonly TracedValue[];
  readonly inner: readonly TracedValue[];
}

function sumOf(value: TracedValue, uses: ReadonlyMap<TracedValue, number>): Sum {
  const products: TracedKernel[] = [];
  const rest: TracedValue[] = [];
  const inner: TracedValue[] = [];
  const waiting = [value];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const kernel = next === value || uses.get(next) === 1 ? kernelOf(next) : undefined;
    const { a, b } = kernel?.inputs ?? {};
    if (kernel?.name === "Add" && [a, b].every(({ shape }) => shape.join() === value.shape.join())) {
      if (next !== value) inner.push(next);
      waiting.push(b, a);
      continue;
    }
    const product = transposedProduct(next, uses);
    if (product === undefined) rest.push(next);
    else {
      products.push(product);
      inner.push(next);
    }
  }
  return { products, rest, inner };
}

/** rest + Σ aᵀ b, the rest first, which is what the product is then added to. */
function mergedSum(
  { type, shape, source }: TracedValue,
  { products, rest }: Sum,
  merged: (value: TracedValue) => TracedValue,
): TracedValue {
  const layer = source.kind === "kernel" ? source.kernel.layer : undefined;
  const made = (name: string, inputs: Readonly<Record<string, TracedValue>>): TracedValue => ({
    type,
    shape,
    source: { kind: "kernel", kernel: { name, inputs, attributes: { shape }, layer }, index: 0 },
  });
  const terms = products.flatMap(({ inputs: { a, b } }, t) => [
    [`a${t}`, merged(a)],
    [`b${t}`, merged(b)],
  ]);
  const sum = made("SumOfProducts", Object.fromEntries(terms));
  if (rest.length === 0) return sum;
  const base = rest.map(merged).reduce((total, addend) => made("Add", { a: total, b: addend }));
  return made("Add", { a: base, b: sum });
}

function mapped<T>(record: Readonly<Record<string, T>>, map: (value: T) => T): Readonly<Record<string, T>> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, map(value)]));
}

/** The kernel aᵀ b of matrices that made a value, if nothing else reads it. */
function transposedProduct(value: TracedValue, uses: ReadonlyMap<TracedValue, number>): TracedKernel | undefined {
  const kernel = soleProducer(value, uses);
  if (kernel?.name !== "BatchMatMul") return undefined;
  const { a, b } = kernel.inputs;
  const isMatrix = [a, b].every(({ shape }) => sizeOf(shape.slice(0, -2)) === 1);
  return isMatrix && kernel.attributes.transposeA === true && kernel.attributes.transposeB !== true
    ? kernel
    : undefined;
}

function kernelOf({ source }: TracedValue): TracedKernel | undefined {
  return source.kind === "kernel" ? source.kernel : undefined;
}
