/** What an attack came to: figures, and what they say to somebody who did not make them. */
export interface AttackResult {
  readonly attack: string;
  /** On what. */
  readonly target: string;
  /** What happened, in a sentence. */
  readonly finding: string;
  readonly heads: readonly string[];
  readonly rows: readonly (readonly string[])[];
  readonly pictures: readonly RecoveredPicture[];
  readonly curves?: AttackCurves;
  /** The same figures as numbers, by name. */
  readonly figures: Readonly<Record<string, number>>;
  /** What stops it, and what does not. */
  readonly defence: string;
  readonly cpuSeconds: number;
}

export interface RecoveredPicture {
  readonly name: string;
  readonly width: number;
  readonly height: number;
  /** Brightness from 0 to 1, row by row. */
  readonly original: Float32Array;
  readonly recovered: Float32Array;
  /** Peak signal-to-noise ratio, dB. */
  readonly psnr: number;
}

/** True positives over false positives. */
export interface AttackCurves {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly curves: readonly { readonly name: string; readonly points: readonly (readonly [x: number, y: number])[] }[];
}
