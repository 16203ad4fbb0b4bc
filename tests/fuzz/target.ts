import type { DeviceId } from "../../shared/protocol/ids.ts";

/**
 * Something that reads what devices send: a round in memory, or a coordinator behind a socket. Attacks are written
 * against it, so that they do not know which it is.
 */
export interface Target {
  /**
   * Takes these frames, in order, as if this device had sent them, and tells what became of each. It answers once the
   * last of them was read, or will never be. Whoever is refused is out; its later frames are unread.
   */
  take(from: DeviceId, frames: readonly Uint8Array[]): readonly Reaction[] | Promise<readonly Reaction[]>;
}

/** What became of a frame. */
export type Reaction =
  /** Nobody looked at it: its sender is out, or everything is over. */
  | { readonly kind: "unread" }
  /** Looked at, and found to belong to something else; nothing happened. */
  | { readonly kind: "ignored" }
  /** Read, and its sender is still in. */
  | { readonly kind: "taken" }
  /** Read, and its sender is out: a drop reason, an abort code, or the name of a typed error. */
  | { readonly kind: "refused"; readonly reason: string };

export const UNREAD: Reaction = { kind: "unread" };
export const IGNORED: Reaction = { kind: "ignored" };
export const TAKEN: Reaction = { kind: "taken" };

/** Something that must never happen, whatever is sent. */
export class Violation extends Error {
  override readonly name = "Violation";
}

/** Calls what must not throw. @throws {Violation} when it does. */
export function mustNotThrow<T>(call: string, step: () => T): T {
  try {
    return step();
  } catch (error) {
    if (error instanceof Violation) throw error;
    const what = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    throw new Violation(`${call} threw ${what}`, { cause: error });
  }
}

export function must(holds: boolean, otherwise: string): asserts holds {
  if (!holds) throw new Violation(otherwise);
}
