/**
 * The rule that t confirmations of *neighbours* are enough, which is the protocol's on the complete graph only: a
 * coordinator that deviates at will in exchanges 2 to 4, with corrupted devices that sign and reveal anything, against a
 * ring of n devices, each with k neighbours and threshold t: exhaustive search for what it can open. Sets are bit masks
 * over the ring.
 *
 * A *grouping* says which survivor list each honest device has signed (it signs one): group 0 for none, 1, 2, … for
 * different lists. A device of group j *accepts*, and reveals shares, when t of its neighbours are in group j or corrupted.
 * Every list names the corrupted devices and its own signers; of the others it names whom the coordinator likes. So the
 * coordinator can rebuild b_x of an honest x ("alive") with the shares of corrupted and accepting neighbours, and s_x
 * ("dead") with those of corrupted neighbours and accepting neighbours of other groups than x's.
 */
export interface Ring {
  readonly size: number;
  readonly degree: number;
  readonly threshold: number;
}

export interface View {
  readonly corrupted: number;
  /** By ring position; corrupted devices have 0. */
  readonly group: readonly number[];
}

export const bitCount = (mask: number) => {
  let count = 0;
  for (let rest = mask; rest !== 0; rest &= rest - 1) count++;
  return count;
};

export function neighbourMasks({ size, degree }: Ring): number[] {
  return Array.from({ length: size }, (_, u) => {
    let mask = 0;
    // Half an odd degree, of the complete graph, reaches once around with the place opposite.
    for (let step = 1; step <= Math.ceil(degree / 2); step++) {
      mask |= (1 << ((u + step) % size)) | (1 << ((u - step + size) % size));
    }
    return mask;
  });
}

/** Corrupted sets of at most `count` devices; up to rotation of the ring, position 0 is in each but the empty one. */
export function corruptedSets(size: number, count: number): number[] {
  const found: number[] = [0];
  for (let mask = 1; mask < 2 ** size; mask += 2) if (bitCount(mask) <= count) found.push(mask);
  return found;
}

/** Calls `visit` with every grouping into `lists` lists or none, up to renaming the lists, until it returns true. */
export function everyGrouping(size: number, corrupted: number, lists: number, visit: (masks: number[]) => boolean) {
  const masks = new Array<number>(lists + 1).fill(0);
  const place = (position: number, used: number): boolean => {
    if (position === size) return visit(masks);
    if ((corrupted >> position) & 1) return place(position + 1, used);
    for (let group = 0; group <= Math.min(used + 1, lists); group++) {
      masks[group] |= 1 << position;
      const stop = place(position + 1, Math.max(used, group));
      masks[group] &= ~(1 << position);
      if (stop) return true;
    }
    return false;
  };
  return place(0, 0);
}

/** Those of each group that accept, as masks; [0] is empty. */
export function acceptors(ring: Ring, neighbours: readonly number[], corrupted: number, groups: readonly number[]) {
  return groups.map((group, j) => {
    if (j === 0) return 0;
    let mask = 0;
    for (let u = 0; u < ring.size; u++) {
      if ((group >> u) & 1 && bitCount(neighbours[u] & (group | corrupted)) >= ring.threshold) mask |= 1 << u;
    }
    return mask;
  });
}

/** What can be opened under one grouping, each honest device taken for itself. */
export interface Openable {
  /** b can be rebuilt. */
  readonly alive: number;
  /** s can be rebuilt. */
  readonly dead: number;
  /** Both, under one and the same choice of lists. */
  readonly both: number;
}

export function openable(ring: Ring, neighbours: readonly number[], corrupted: number, groups: readonly number[]) {
  const accepting = acceptors(ring, neighbours, corrupted, groups);
  const everyone = accepting.reduce((all, mask) => all | mask, 0);
  let alive = 0;
  let dead = 0;
  let both = 0;
  for (let x = 0; x < ring.size; x++) {
    if ((corrupted >> x) & 1) continue;
    const own = groups.findIndex((mask) => (mask >> x) & 1);
    const bad = bitCount(neighbours[x] & corrupted);
    const says = accepting.map((mask) => bitCount(neighbours[x] & mask));
    const total = bitCount(neighbours[x] & everyone);
    const fixedAlive = own === 0 ? 0 : says[own];
    if (bad + total >= ring.threshold) alive |= 1 << x;
    if (bad + total - fixedAlive >= ring.threshold) dead |= 1 << x;
    // Every list of another group says alive or dead of x as the coordinator likes.
    const free = says.filter((_, j) => j !== 0 && j !== own);
    for (let choice = 0; choice < 2 ** free.length; choice++) {
      const saysDead = free.reduce((sum, count, i) => sum + ((choice >> i) & 1 ? count : 0), 0);
      if (bad + saysDead >= ring.threshold && bad + total - saysDead >= ring.threshold) both |= 1 << x;
    }
  }
  return { alive, dead, both } satisfies Openable;
}

/** A device whose two secrets can both be rebuilt, under some split into `lists` lists; null when there is none. */
export function findBothSecrets(ring: Ring, maxCorrupted: number, lists: number): View | null {
  const neighbours = neighbourMasks(ring);
  let found: View | null = null;
  for (const corrupted of corruptedSets(ring.size, maxCorrupted)) {
    everyGrouping(ring.size, corrupted, lists, (groups) => {
      if (openable(ring, neighbours, corrupted, groups).both === 0) return false;
      found = { corrupted, group: groupOf(ring.size, groups) };
      return true;
    });
    if (found !== null) return found;
  }
  return null;
}

export interface OpenedSums extends View {
  /** Honest devices whose sum is opened. */
  readonly opened: number;
  /** Honest devices outside that need not be dead for it. */
  readonly spared: number;
}

/**
 * Two sums of different devices, opened in one session. The coordinator may moreover have told devices different U2, so
 * that each left out the masks of up to k - t neighbours (it demands t in U2), other than signers of its own U3, for
 * U3 ⊆ U2. Where a device at the border could be dead as well as left out, it is taken to be both, so an answer of null
 * is sound.
 */
export function findTwoSums(ring: Ring, maxCorrupted: number, lists: number): OpenedSums | null {
  return searchSums(
    ring,
    maxCorrupted,
    lists,
    ring.degree - ring.threshold,
    (sum, others) =>
      sum.spared !== 0 &&
      others.some((other) => (other.opened & ~sum.spared) === 0 && (sum.opened & ~other.spared) === 0),
  );
}

/**
 * A deceived device: it has accepted a list, and a sum with its input is opened that lacks an honest signer of that very
 * list. `omissions` as in {@link findTwoSums}: whether the coordinator may tell devices different U2.
 */
export function findDeceived(ring: Ring, maxCorrupted: number, lists: number, omissions: boolean): OpenedSums | null {
  const neighbours = neighbourMasks(ring);
  const left = omissions ? ring.degree - ring.threshold : 0;
  return searchSums(ring, maxCorrupted, lists, left, ({ opened }, _, corrupted, groups) =>
    acceptors(ring, neighbours, corrupted, groups).some(
      (accepting, list) => (accepting & opened) !== 0 && (groups[list] & ~opened) !== 0,
    ),
  );
}

interface Sum {
  readonly opened: number;
  readonly spared: number;
}

function searchSums(
  ring: Ring,
  maxCorrupted: number,
  lists: number,
  omissions: number,
  matters: (sum: Sum, others: readonly Sum[], corrupted: number, groups: readonly number[]) => boolean,
): OpenedSums | null {
  const neighbours = neighbourMasks(ring);
  const all = 2 ** ring.size - 1;
  const connected: number[] = [];
  for (let mask = 1; mask < all; mask++) if (isConnected(mask, neighbours)) connected.push(mask);
  let found: OpenedSums | null = null;
  for (const corrupted of corruptedSets(ring.size, maxCorrupted)) {
    // A sum over unconnected parts opens each part, so the connected ones are enough.
    const candidates = connected.filter((mask) => (mask & corrupted) === 0);
    everyGrouping(ring.size, corrupted, lists, (groups) => {
      const { alive, dead } = openable(ring, neighbours, corrupted, groups);
      if (alive === 0) return false;
      const sums: Sum[] = [];
      for (const opened of candidates) {
        if ((opened & ~alive) !== 0) continue;
        const outside = all & ~corrupted & ~opened;
        const spared = sparedBy(opened, outside, neighbours, groups, dead, omissions);
        if (spared === undefined) continue;
        const sum = { opened, spared };
        if (matters(sum, sums, corrupted, groups)) {
          found = { corrupted, group: groupOf(ring.size, groups), ...sum };
          return true;
        }
        sums.push(sum);
      }
      return false;
    });
    if (found !== null) return found;
  }
  return null;
}

/** Who of `outside` need not be dead when `opened` is opened; undefined when a mask at its border stays. */
function sparedBy(
  opened: number,
  outside: number,
  neighbours: readonly number[],
  groups: readonly number[],
  dead: number,
  omissions: number,
): number | undefined {
  let mustBeDead = 0;
  for (let u = 0; u < neighbours.length; u++) {
    if (((opened >> u) & 1) === 0) continue;
    const border = neighbours[u] & outside;
    const fellows = groups.reduce((mask, group, j) => (j !== 0 && (group >> u) & 1 ? group : mask), 0);
    mustBeDead |= omissions === 0 ? border : border & fellows;
    const undead = border & ~dead;
    if (bitCount(undead) > omissions) return undefined;
  }
  return (mustBeDead & ~dead) === 0 ? outside & ~mustBeDead : undefined;
}

function isConnected(mask: number, neighbours: readonly number[]): boolean {
  let reached = mask & -mask;
  for (let before = 0; before !== reached; ) {
    before = reached;
    for (let u = 0; u < neighbours.length; u++) if ((reached >> u) & 1) reached |= neighbours[u] & mask;
  }
  return reached === mask;
}

const groupOf = (size: number, groups: readonly number[]) =>
  Array.from({ length: size }, (_, u) =>
    Math.max(
      0,
      groups.findIndex((mask) => (mask >> u) & 1),
    ),
  );
