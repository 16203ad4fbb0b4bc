/** Peak signal-to-noise ratio of values from 0 to 1, in dB: 10 lg(1 / mean squared error). Infinite where they are equal. */
export function psnr(original: ArrayLike<number>, recovered: ArrayLike<number>): number {
  let square = 0;
  for (let i = 0; i < original.length; i++) square += (original[i] - recovered[i]) ** 2;
  return 10 * Math.log10(original.length / square);
}

/** Within what a picture can hold; what is no number is black. */
export function asPicture(values: Float32Array): Float32Array {
  return values.map((value) => (value > 0 ? Math.min(1, value) : 0));
}

export interface Match {
  /** Place of the original, and of what was recovered of it. */
  readonly original: number;
  readonly recovered: number;
  readonly psnr: number;
}

/**
 * Which recovered picture is which original: each used once, the most alike first, so that one good picture is not counted
 * for many.
 */
export function matchPictures(originals: readonly Float32Array[], recovered: readonly Float32Array[]): Match[] {
  const pairs = originals.flatMap((original, i) =>
    recovered.map((picture, j) => ({ original: i, recovered: j, psnr: psnr(original, picture) })),
  );
  pairs.sort((a, b) => b.psnr - a.psnr);
  const usedOriginals = new Set<number>();
  const usedRecovered = new Set<number>();
  return pairs.filter(({ original, recovered: place }) => {
    if (usedOriginals.has(original) || usedRecovered.has(place)) return false;
    usedOriginals.add(original);
    usedRecovered.add(place);
    return true;
  });
}

/** Share of the originals that were recovered to at least so many dB. */
export function recoveredShare(matches: readonly Match[], originals: number, decibels: number): number {
  return matches.filter((match) => match.psnr > decibels).length / originals;
}
