import type { Reaction } from "./target.ts";

export type FrameReader = "coordinator" | "device" | "decoder";

/** Counts mutated frames that somebody looked at, by what became of them; and knows which one is being looked at. */
export interface Tally {
  /** Mutated frames that a state machine or a decoder looked at. */
  readonly frames: number;
  readonly readers: Readonly<Record<FrameReader, number>>;
  /** "coordinator refused malformed", "device ignored", … */
  readonly reactions: ReadonlyMap<string, number>;
  /** By the kind of mutation. */
  readonly mutations: ReadonlyMap<string, number>;
  /** Rounds that were played to their end, by how it was. */
  readonly endings: ReadonlyMap<string, number>;
  /** What is being looked at now, for the report of a failure. */
  about: { readonly reader: FrameReader; readonly how: string; readonly frame: Uint8Array } | undefined;
  count(reader: FrameReader, how: string, reaction: Reaction): void;
  ended(how: string): void;
}

export function createTally(): Tally {
  const reactions = new Map<string, number>();
  const mutations = new Map<string, number>();
  const endings = new Map<string, number>();
  const readers = { coordinator: 0, device: 0, decoder: 0 };
  let frames = 0;
  return {
    get frames() {
      return frames;
    },
    readers,
    reactions,
    mutations,
    endings,
    about: undefined,
    count(reader, how, reaction) {
      if (reaction.kind === "unread") return;
      frames++;
      readers[reader]++;
      const became = reaction.kind === "refused" ? `refused ${reaction.reason}` : reaction.kind;
      increment(reactions, `${reader} ${became}`);
      increment(mutations, how);
    },
    ended: (how) => increment(endings, how),
  };
}

function increment(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
