/**
 * The words that every log line, metric, event and page speaks: where a round is, why a device left it, why a round
 * ended. One enumeration each; nothing else in the project invents a reason.
 */

/** A round's stages, in order (`demo.md`, opening). */
export const STAGES = ["select", "configure", "train", "keys", "shares", "mask", "confirm", "unmask", "apply"] as const;
export type Stage = (typeof STAGES)[number];

/** Every way a device can leave a round before it is done. */
export const DROP_REASONS = [
  /** its connection closed, or it vanished, before it answered */
  "disconnected",
  /** the stage's deadline passed without its answer */
  "deadline",
  /** it declined the round (its own policy; the code is in the detail) */
  "declined",
  /** it told that it aborted, with a code */
  "aborted",
  /** it could not train: engine error, non-finite update */
  "training-failed",
  /** a frame that does not parse, or has the wrong length, type, round or session */
  "malformed",
  /** a second answer for one exchange */
  "duplicate",
  /** a signature or certificate that does not verify */
  "bad-signature",
  /** a public key that is not canonical, of low order, or already in the roster */
  "bad-key",
  /** an answer that came after its stage closed; it was discarded unread */
  "late",
  /** more bytes than the round allows */
  "oversize",
  /** the round had its goal already (`closeAt: goal`) */
  "over-selected",
] as const;
export type DropReason = (typeof DROP_REASONS)[number];

/** Every way a round can end. */
export const ROUND_OUTCOMES = ["committed", "abandoned"] as const;
export type RoundOutcome = (typeof ROUND_OUTCOMES)[number];

/** Every reason for which a round is abandoned. No update was opened in any of them. */
export const ABANDON_REASONS = [
  /** fewer eligible devices than the minimum cohort */
  "too-few-devices",
  /** a stage ended below its quorum */
  "below-quorum",
  /** a secret has fewer than t good shares */
  "too-few-shares",
  /** shares prove wrong beyond correction */
  "bad-shares",
  /** no graph has the parameters that the cohort needs */
  "no-parameters",
  /** every device that is left has already uploaded for this model (active-server) */
  "model-exhausted",
  /** the coordinator was told to stop */
  "stopped",
  /** the process ended in the middle of the round (found on resume) */
  "interrupted",
] as const;
export type AbandonReason = (typeof ABANDON_REASONS)[number];

/** Why a device aborts its part, as the code in its ABORT frame. The number is the wire value: append, never renumber. */
export const ABORT_CODES = {
  "bad-signature": 1,
  "bad-certificate": 2,
  "duplicate-device": 3,
  "duplicate-key": 4,
  "bad-key": 5,
  "own-entry": 6,
  "below-floor": 7,
  "context-mismatch": 8,
  "session-mismatch": 9,
  "not-a-subset": 10,
  "not-in-survivors": 11,
  "too-few-neighbours": 12,
  "too-few-confirmations": 13,
  "unknown-device": 14,
  "ring-too-narrow": 15,
  deadline: 16,
  "unexpected-message": 17,
  "malformed-message": 18,
  "changed-message": 19,
  "cohort-too-large": 20,
  "no-parameters": 21,
  "model-mismatch": 22,
  policy: 23,
  "already-uploaded": 24,
  "training-failed": 25,
  "non-finite-update": 26,
  "replayed-round": 27,
  stopped: 28,
  "model-unavailable": 29,
} as const;
export type AbortCode = keyof typeof ABORT_CODES;

/** Why a device is not let in, or no longer. The number is the wire value: append, never renumber. */
export const REFUSALS = {
  /** its key is not enrolled: enrol with a join token, then come back */
  "not-enrolled": 1,
  /** the operator revoked its key */
  revoked: 2,
  /** active-server: it has no certificate of the authority, or one that has expired */
  uncertified: 3,
  /** the signature is not over this connection's challenge: a replay, or another device's */
  "bad-signature": 4,
  /** it dialled a name that is not this coordinator's, so its signature may have been relayed */
  "wrong-audience": 5,
  /** it authenticated again, on another connection */
  replaced: 6,
  /** every place in the simulated fleet is taken */
  "fleet-full": 7,
  /** a frame that does not parse, or that has no place on this connection */
  malformed: 8,
  /** a frame that is longer than any of this task */
  oversize: 9,
  /** it did not authenticate, read or answer in time */
  "too-slow": 10,
  /** the coordinator stops */
  stopping: 11,
  /** the run is over: there is nothing to come back for */
  finished: 12,
} as const;
export type Refusal = keyof typeof REFUSALS;

/** How a connection ends: the device left by itself, as it was told to or not; or it was refused. */
export type ConnectionEnd = Refusal | "left" | "paced";
