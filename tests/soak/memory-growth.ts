/** What a process holds after so many rounds, its garbage collected. */
export interface MemorySample {
  readonly round: number;
  /** Of tfjs, in the thread that looks. */
  readonly tensors: number;
  /** Of ONNX Runtime, open in the thread that looks. */
  readonly sessions: number;
  /** Bytes of JavaScript objects and of array buffers. */
  readonly held: number;
  /** Bytes resident, of all threads and native libraries. */
  readonly resident: number;
}

/**
 * Bytes a round that are not a leak: of objects, the lists that grow by a number or two; of pages, what allocators keep,
 * and the garbage of worker threads, some 40 kB a round until they collect it, which takes a thousand rounds.
 */
const MOST_HELD = 3_000;
const MOST_RESIDENT = 90_000;

/** What grows with the rounds and must not, in words; nothing when memory is flat. The first fifth is warming up. */
export function memoryGrowth(samples: readonly MemorySample[]): string[] {
  const last = samples.at(-1)?.round ?? 0;
  const warm = samples.filter(({ round }) => round > last / 5);
  if (warm.length < 10) throw new RangeError(`${warm.length} samples show no trend`);
  const problems: string[] = [];
  for (const count of ["tensors", "sessions"] as const) {
    const first = warm[0][count];
    const most = Math.max(...warm.map((sample) => sample[count]));
    if (most > first) problems.push(`${most} ${count}, ${first} after round ${warm[0].round}`);
  }
  for (const [kind, most] of [["held", MOST_HELD] as const, ["resident", MOST_RESIDENT] as const]) {
    const slope = medianSlope(warm.map((sample) => [sample.round, sample[kind]]));
    if (slope > most) problems.push(`${Math.round(slope)} bytes more ${kind} with every round`);
  }
  return problems;
}

/** The median of the slopes between all pairs (Sen 1968): a single outlier, such as a page cache that fills, moves it little. */
function medianSlope(points: readonly (readonly [number, number])[]): number {
  const slopes = points.flatMap(([x, y], i) => points.slice(i + 1).map(([x2, y2]) => (y2 - y) / (x2 - x)));
  slopes.sort((a, b) => a - b);
  return slopes[slopes.length >> 1];
}
