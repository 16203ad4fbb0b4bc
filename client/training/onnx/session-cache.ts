import type { GraphSession } from "./session.ts";

/** Sessions by key, opened when first asked for; beyond `capacity` the one unused for longest is closed. */
export interface SessionCache<T extends { readonly session: GraphSession }> {
  /** Lends the session to `body`; it is not closed meanwhile. */
  use<R>(key: string, open: () => Promise<T>, body: (opened: T) => Promise<R>): Promise<R>;
  dispose(): Promise<void>;
}

interface Entry<T> {
  readonly opened: Promise<T>;
  users: number;
}

export function sessionCache<T extends { readonly session: GraphSession }>(capacity: number): SessionCache<T> {
  // A Map lists its keys in the order of insertion, so inserting on each use keeps the oldest first.
  const entries = new Map<string, Entry<T>>();

  async function close(key: string, { opened }: Entry<T>): Promise<void> {
    entries.delete(key);
    await (await opened).session.release();
  }

  return {
    async use(key, open, body) {
      const entry = entries.get(key) ?? { opened: open(), users: 0 };
      entries.delete(key);
      entries.set(key, entry);
      entry.users++;
      try {
        return await body(await entry.opened);
      } catch (error) {
        // What failed to open would fail for ever.
        await entry.opened.catch(() => entries.delete(key));
        throw error;
      } finally {
        entry.users--;
        const idle = [...entries].filter(([, { users }]) => users === 0);
        const surplus = Math.max(0, entries.size - capacity);
        for (const [oldKey, old] of idle.slice(0, surplus)) await close(oldKey, old);
      }
    },
    async dispose() {
      for (const [key, entry] of [...entries]) await close(key, entry);
    },
  };
}
