import type { DeviceView, TokenView } from "../operator-client.ts";
import type { Colours } from "./colours.ts";
import { countText, table } from "./figures.ts";

export type TokenState = "good" | "used up" | "expired" | "revoked";

/** @param now milliseconds since 1970 */
export function tokenState({ scope, usesLeft, expiresAt, revokedAt }: TokenView, now: number): TokenState {
  if (revokedAt !== null) return "revoked";
  if (Date.parse(expiresAt) <= now) return "expired";
  return scope === "enrol" && usesLeft === 0 ? "used up" : "good";
}

/** A line for each token, under a head. */
export function tokenTable(tokens: readonly (TokenView & { readonly state: TokenState })[], paint: Colours): string[] {
  const heads = ["id", "scope", "state", "enrolled", "made (UTC)", "expires (UTC)"].map((head) => paint.dim(head));
  const rows = tokens.map(({ id, scope, state, uses, usesLeft, createdAt, expiresAt }) => [
    id,
    scope,
    state === "good" ? paint.learnt(state) : paint.warning(state),
    scope === "enrol" ? `${countText(uses - usesLeft)} of ${countText(uses)}` : "",
    minuteText(createdAt),
    minuteText(expiresAt),
  ]);
  return table([heads, ...rows], [3]);
}

/** A line for each device, under a head; keys are as short as tells them apart. */
export function deviceTable(devices: readonly DeviceView[], paint: Colours): string[] {
  const digits = distinctDigits(devices.map(({ publicKey }) => publicKey));
  const heads = ["key", "last name", "enrolled (UTC)", "token", "revoked (UTC)"].map((head) => paint.dim(head));
  const rows = devices.map(({ publicKey, name, enrolledAt, token, revokedAt }) => [
    publicKey.slice(0, digits),
    name ?? "–",
    minuteText(enrolledAt),
    token,
    revokedAt === null ? "" : paint.warning(minuteText(revokedAt)),
  ]);
  return table([heads, ...rows]);
}

const FEWEST_DIGITS = 8;

/** Digits that tell all keys apart, where the keys ascend. */
function distinctDigits(keys: readonly string[]): number {
  let digits = FEWEST_DIGITS;
  for (let at = 1; at < keys.length; at++) {
    while (digits < keys[at].length && keys[at].startsWith(keys[at - 1].slice(0, digits))) digits += 1;
  }
  return digits;
}

/** "2026-03-01 12:00" of an ISO 8601 moment. */
export function minuteText(moment: string): string {
  return moment.slice(0, 16).replace("T", " ");
}
