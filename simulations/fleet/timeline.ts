/** What is going to happen in a round, by virtual time; at one time, in the order in which it was added. */
export interface Timeline<T> {
  add(at: number, item: T): void;
  next(): { readonly at: number; readonly item: T } | undefined;
  /** Removes what {@link next} showed. */
  take(): void;
  /** All that is to come, in order. */
  pending(): readonly { readonly at: number; readonly item: T }[];
}

/** For a round's few hundred devices, most of whose messages arrive in order: insertion from the end. */
export function createTimeline<T>(): Timeline<T> {
  const entries: { readonly at: number; readonly item: T }[] = [];
  let first = 0;

  return {
    add(at, item) {
      let place = entries.length;
      while (place > first && entries[place - 1].at > at) place--;
      entries.splice(place, 0, { at, item });
    },
    next: () => entries[first],
    take() {
      first++;
      // Removing each from the front would move all the others each time.
      if (first > 64 && first > entries.length / 2) first -= entries.splice(0, first).length;
    },
    pending: () => entries.slice(first),
  };
}
