import { compareBytes } from "../crypto/bytes.ts";

/**
 * Who shares secrets and masks with whom, over the roster's indices 0 … n - 1. Every device derives the same graph; it is
 * never sent.
 */
export interface SharingGraph {
  readonly kind: "complete" | "harary";
  /** Devices in the roster, n. */
  readonly size: number;
  /** Neighbours of each device, k. */
  readonly degree: number;
  /** Shares that rebuild a secret, t, counted over the neighbours, self excluded. */
  readonly threshold: number;
  /** The k neighbours of a device, ascending. The array is shared: do not change it. */
  neighbours(index: number): readonly number[];
  areNeighbours(a: number, b: number): boolean;
  /**
   * Where `holder` evaluates the polynomials of `owner`: 1 + its rank among the owner's neighbours in ascending index.
   *
   * @throws {RangeError} when the two are not neighbours.
   */
  slot(owner: number, holder: number): number;
}

export interface SharingGraphOptions {
  readonly kind: "complete" | "harary";
  readonly size: number;
  /** n - 1 for the complete graph; even and at most n - 1 for a Harary graph. */
  readonly degree: number;
  /** 1 ≤ threshold ≤ degree. */
  readonly threshold: number;
  /** `positions[index]` is the place on the ring, a permutation of 0 … n - 1; default: the index itself. */
  readonly positions?: readonly number[];
}

/**
 * The complete graph, or the Harary graph H(k, n) of even degree: each device joined to the k/2 places on either side of
 * it on the ring. It is k-connected with the fewest edges possible (Harary, "The maximum connectivity of a graph", 1962).
 *
 * @throws {RangeError} for sizes, degrees, thresholds or positions out of the ranges above.
 */
export function sharingGraph(options: SharingGraphOptions): SharingGraph {
  const { kind, size, degree, threshold, positions } = options;
  requireShape(options);
  const position = positions ?? Array.from({ length: size }, (_, index) => index);
  const at = inverse(position);
  const lists = new Array<readonly number[] | undefined>(size);

  const neighbours = (index: number): readonly number[] => {
    if (!Number.isInteger(index) || index < 0 || index >= size) {
      throw new RangeError(`no device ${index} in a roster of ${size}`);
    }
    const known = lists[index];
    if (known !== undefined) return known;
    const list =
      kind === "complete" ? everyoneBut(index, size) : besideOnRing(position[index], degree / 2, at).sort(ascending);
    lists[index] = list;
    return list;
  };

  return {
    kind,
    size,
    degree,
    threshold,
    neighbours,
    areNeighbours: (a, b) => rank(neighbours(a), b) !== undefined,
    slot(owner, holder) {
      const found = rank(neighbours(owner), holder);
      if (found === undefined) throw new RangeError(`device ${holder} holds no share of device ${owner}`);
      return found + 1;
    },
  };
}

/**
 * Ring positions under the finder: `positions[index]` is the rank of `digests[index]`, which is
 * SHA256("ring", graphSeed, idPk) of that device. The coordinator draws the seed after the roster is closed, so that
 * nobody can choose a key that lands beside a victim. Under the other rules the position is the index.
 */
export function ringPositions(digests: readonly Uint8Array[]): number[] {
  const order = digests.map((_, index) => index);
  // Distinct keys have distinct digests; the index settles the order all the same, so that it never depends on the sort.
  order.sort((a, b) => compareBytes(digests[a], digests[b]) || a - b);
  return inverse(order);
}

const ascending = (a: number, b: number) => a - b;

function everyoneBut(index: number, size: number): number[] {
  return Array.from({ length: size - 1 }, (_, other) => (other < index ? other : other + 1));
}

function besideOnRing(position: number, reach: number, at: readonly number[]): number[] {
  const found = [];
  for (let step = 1; step <= reach; step++) {
    found.push(at[(position + step) % at.length], at[(position - step + at.length) % at.length]);
  }
  return found;
}

function inverse(permutation: readonly number[]): number[] {
  const result = new Array<number>(permutation.length);
  for (const [from, to] of permutation.entries()) result[to] = from;
  return result;
}

/** Where `value` stands in an ascending list. */
function rank(list: readonly number[], value: number): number | undefined {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (list[middle] < value) low = middle + 1;
    else high = middle;
  }
  return list[low] === value ? low : undefined;
}

function requireShape({ kind, size, degree, threshold, positions }: SharingGraphOptions): void {
  if (!Number.isInteger(size) || size < 2) throw new RangeError(`a graph needs at least two devices, not ${size}`);
  const allowed =
    kind === "complete" ? degree === size - 1 : Number.isInteger(degree / 2) && degree >= 2 && degree < size;
  if (!allowed) throw new RangeError(`no ${kind} graph of ${size} devices has degree ${degree}`);
  if (!Number.isInteger(threshold) || threshold < 1 || threshold > degree) {
    throw new RangeError(`the threshold lies between 1 and the degree ${degree}, it cannot be ${threshold}`);
  }
  if (positions === undefined) return;
  const seen = new Set(positions.filter((place) => Number.isInteger(place) && place >= 0 && place < size));
  if (positions.length !== size || seen.size !== size) {
    throw new RangeError(`ring positions must be a permutation of 0 to ${size - 1}`);
  }
}
