import { ERROR_CATALOGUE } from "../shared/protocol/error-catalogue.ts";
import {
  ABORT_CODES,
  type AbandonReason,
  type AbortCode,
  type ConnectionEnd,
  type DropReason,
  REFUSALS,
  type Refusal,
  type Stage,
} from "../shared/protocol/reasons.ts";
import { GLOSSARY, SYNONYMS } from "./glossary.ts";

/** One entry of `murmur explain`. */
export interface Explanation {
  readonly term: string;
  readonly kind:
    | "word"
    | "stage"
    | "error"
    | "exit code"
    | "drop reason"
    | "abandon reason"
    | "abort code"
    | "refusal"
    | "connection end";
  readonly text: string;
  readonly hint?: string;
  /** Other names that find it. */
  readonly also: readonly string[];
}

/** Everything that the project has a name for. */
export function explanations(): Explanation[] {
  const entries = (kind: Explanation["kind"], texts: Readonly<Record<string, string>>): Explanation[] =>
    Object.entries(texts).map(([term, text]) => ({ term, kind, text, also: [] }));
  return [
    ...Object.entries(GLOSSARY).map(([term, text]) => {
      const also = Object.keys(SYNONYMS).filter((word) => SYNONYMS[word] === term);
      return { term, kind: "word" as const, text, also };
    }),
    ...entries("stage", STAGE_TEXTS),
    ...Object.entries(ERROR_CATALOGUE).map(([term, { what, hint, exitCode }]) => ({
      term,
      kind: "error" as const,
      text: `${what} Ends with exit code ${exitCode}.`,
      hint,
      also: [],
    })),
    ...entries("exit code", EXIT_CODES),
    ...entries("drop reason", DROP_TEXTS),
    ...entries("abandon reason", ABANDON_TEXTS),
    ...Object.entries(ABORT_TEXTS).map(([term, text]) => ({
      term,
      kind: "abort code" as const,
      text: `${text} Number ${ABORT_CODES[term as AbortCode]} in an ABORT frame.`,
      also: [`abort-${ABORT_CODES[term as AbortCode]}`],
    })),
    ...Object.entries(REFUSAL_TEXTS).map(([term, text]) => ({
      term,
      kind: "refusal" as const,
      text: `${text} Number ${REFUSALS[term as Refusal]} in a REFUSED frame.`,
      also: [`refusal-${REFUSALS[term as Refusal]}`],
    })),
    ...entries("connection end", CONNECTION_END_TEXTS),
  ];
}

/** The process's exit codes: its own below 126, a signal's as the shell has it. */
export const EXIT_CODES: Readonly<Record<string, string>> = {
  "0": "Done, and everything that was asked for was met.",
  "1": "An unexpected error: a bug.",
  "2": "The command line is not understood, or names something that is not there.",
  "3": "The configuration is invalid.",
  "4": "The environment lacks something: Node, an engine, permission, space; or the run's folder is in use.",
  "5": "The run failed: too few devices, rounds abandoned beyond the limit, or training diverged.",
  "6": "Verification found another result than the record holds.",
  "7": "The privacy budget refused: the run would exceed its target, and nothing was run.",
  "99": "The run is done, and missed a threshold of its configuration.",
  "130": "Stopped with Ctrl-C (SIGINT); what was committed is kept, and the run can be resumed.",
  "141": "The reader of standard output went away (SIGPIPE); what was committed is kept.",
  "143": "Stopped with SIGTERM; what was committed is kept, and the run can be resumed.",
};

const STAGE_TEXTS = {
  select: "The coordinator chooses and invites a cohort.",
  configure: "Invited devices receive the model, check its hash, and accept or decline by their own policy.",
  train: "Devices train on data that stays with them.",
  keys: "Devices advertise signed keys that live for this round only; the roster closes.",
  shares: "Devices leave sealed shares of their secrets with their neighbours.",
  mask: "Devices upload their masked updates; the coordinator adds each to the sum and forgets it.",
  confirm: "Devices sign the list of survivors that they were shown, so that everyone unmasks the same one.",
  unmask: "Survivors hand over one share for each neighbour, enough to remove the masks from the sum and nothing else.",
  apply: "The coordinator decodes the sum and takes its step.",
} satisfies Record<Stage, string>;

const DROP_TEXTS = {
  disconnected: "Its connection closed, or it vanished, before it answered.",
  deadline: "The stage's deadline passed without its answer.",
  declined: "It declined the round by its own policy.",
  aborted: "It told that it aborted, with a code.",
  "training-failed": "It could not train: an engine's error, or an update that is not finite.",
  malformed: "It sent a frame that does not parse, or has the wrong length, type, round or session.",
  duplicate: "It gave a second, different answer in one exchange.",
  "bad-signature": "A signature or certificate of its own does not verify.",
  "bad-key": "Its public key is not canonical, of low order, or already in the roster.",
  late: "Its answer came after the stage had closed, and was discarded unread.",
  oversize: "It sent more bytes than the round allows.",
  "over-selected": "The round had its goal already (`round.closeAt: goal`).",
} satisfies Record<DropReason, string>;

const ABANDON_TEXTS = {
  "too-few-devices": "Fewer eligible devices than the minimum cohort. No update was opened.",
  "below-quorum": "A stage ended with fewer devices than it needs. No update was opened.",
  "too-few-shares": "A secret had fewer good shares than its threshold. No update was opened.",
  "bad-shares": "Shares proved wrong beyond correction. No update was opened.",
  "no-parameters": "No sharing graph has the parameters that the cohort needs. No update was opened.",
  "model-exhausted":
    "Every device that is left has already uploaded for this model, and at active-server a device does so once. No update was opened.",
  stopped: "The coordinator was told to stop. No update was opened.",
  interrupted: "The process ended in the middle of the round; found when the run was resumed. No update was opened.",
} satisfies Record<AbandonReason, string>;

const ABORT_TEXTS = {
  "bad-signature": "A device found a signature that does not verify.",
  "bad-certificate": "A device found a roster entry without a valid certificate of its authority.",
  "duplicate-device": "A device found another device twice in the roster.",
  "duplicate-key": "A device found one key twice in the roster.",
  "bad-key": "A device found a key in the roster that is not canonical or of low order.",
  "own-entry": "A device found its own roster entry absent, altered or twice.",
  "below-floor": "The cohort, degree or threshold is below the device's own floors.",
  "context-mismatch": "The round's parameters are not those the device agreed to.",
  "session-mismatch": "A frame belongs to another session.",
  "not-a-subset": "A later list of devices names one that an earlier list did not.",
  "not-in-survivors": "The list of survivors leaves out a device that is asked to confirm it.",
  "too-few-neighbours": "Fewer of the device's neighbours are left than its threshold.",
  "too-few-confirmations": "Fewer valid confirmations of the survivors than the threshold.",
  "unknown-device": "A message names a device that is not in the roster, or lists one twice.",
  "ring-too-narrow": "The sum could wrap around in the ring that the coordinator proposed.",
  deadline: "The coordinator's message did not come in time.",
  "unexpected-message": "A message that has no place in the device's current state.",
  "malformed-message": "A message that does not parse.",
  "changed-message": "The coordinator repeated a request with other content.",
  "cohort-too-large": "The roster is larger than the round agreed to.",
  "no-parameters": "The device's own rule has no sharing graph for this cohort.",
  "model-mismatch": "The model's bytes do not have the announced hash.",
  policy: "The device's own policy declines the round.",
  "already-uploaded": "The device has already uploaded for this model, and at active-server does so once.",
  "training-failed": "The device's engine could not train.",
  "non-finite-update": "Training gave NaN or infinity.",
  "replayed-round": "The device has seen this round before.",
  stopped: "The device was told to stop.",
  "model-unavailable": "The device could not fetch the model.",
} satisfies Record<AbortCode, string>;

const REFUSAL_TEXTS = {
  "not-enrolled": "The device's key is not enrolled. It enrols with its join token, if it has one, and comes back.",
  revoked: "The operator revoked the device's key: it is never let in again.",
  uncertified: "At active-server, the device has no certificate of the authority, or one that has expired.",
  "bad-signature": "The signature is not over this connection's challenge: a replay, or another device's.",
  "wrong-audience": "The device dialled a name that is not the coordinator's, so its signature may have been relayed.",
  replaced: "The device authenticated again, on another connection: it runs in two places, or came back after a break.",
  "fleet-full": "Every place in the simulated fleet is taken.",
  malformed: "The device sent a frame that does not parse, or that has no place on the connection.",
  oversize: "The device sent a frame that is longer than any of the task.",
  "too-slow": "The device did not authenticate, read or answer in time.",
  stopping: "The coordinator stops. The device comes back at a moment that it is told.",
  finished: "The run is over: there is nothing to come back for.",
} satisfies Record<Refusal, string>;

const CONNECTION_END_TEXTS = {
  left: "The device closed the connection, or it broke.",
  paced: "The device was told when to come back, and closed the connection until then.",
} satisfies Record<Exclude<ConnectionEnd, Refusal>, string>;
