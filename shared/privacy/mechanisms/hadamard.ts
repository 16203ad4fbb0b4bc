/**
 * The Walsh–Hadamard transform, not normalised, in place: values ← H values, where H_{ij} = (−1)^{popcount(i & j)}. Applied
 * twice it multiplies by the length.
 *
 * Two of its stages at a time: a pass over memory costs more than the additions.
 * @param values a power of two of them
 */
export function hadamard(values: Float32Array): void {
  const { length } = values;
  if (length < 1 || (length & (length - 1)) !== 0) throw new RangeError(`${length} values are not a power of two`);
  let half = 1;
  if (Math.log2(length) % 2 === 1) {
    stage(values);
    half = 2;
  }
  for (; half < length; half *= 4) twoStages(values, half);
}

/** The smallest power of two that is not smaller. */
export function paddedLength(length: number): number {
  return 2 ** Math.ceil(Math.log2(length));
}

function stage(values: Float32Array): void {
  for (let i = 0; i < values.length; i += 2) {
    const a = values[i];
    const b = values[i + 1];
    values[i] = a + b;
    values[i + 1] = a - b;
  }
}

/** The stages of distance `half` and 2 · `half`. */
function twoStages(values: Float32Array, half: number): void {
  for (let block = 0; block < values.length; block += 4 * half) {
    for (let i = block; i < block + half; i++) {
      const a = values[i];
      const b = values[i + half];
      const c = values[i + 2 * half];
      const d = values[i + 3 * half];
      const ab = a + b;
      const cd = c + d;
      const amb = a - b;
      const cmd = c - d;
      values[i] = ab + cd;
      values[i + half] = amb + cmd;
      values[i + 2 * half] = ab - cd;
      values[i + 3 * half] = amb - cmd;
    }
  }
}
