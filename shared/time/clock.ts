/** Time, passed in: what waits can be tested without waiting. */
export interface Clock {
  /** Milliseconds since 1970, and steady: it never goes back or leaps, whatever the machine's clock is set to. */
  now(): number;
  /** Calls back once after so many milliseconds, unless the returned function is called before. */
  after(milliseconds: number, callback: () => void): () => void;
}
