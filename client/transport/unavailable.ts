import type { TransportEnd } from "./transport.ts";

/** The coordinator cannot be reached, or not now: trying again may help. */
export class UnavailableError extends Error {
  override readonly name = "UnavailableError";
  /** Milliseconds for which it asked not to be tried again. */
  readonly retryAfter: number | undefined;

  constructor({ detail, retryAfter }: Pick<TransportEnd, "detail" | "retryAfter">, options: { cause?: unknown } = {}) {
    super(detail, options);
    this.retryAfter = retryAfter;
  }
}
