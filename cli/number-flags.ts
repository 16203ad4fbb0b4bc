import { MurmurError } from "../shared/protocol/errors.ts";

/** Most devices that one process runs: each has a socket. */
export const MOST_DEVICES = 10_000;

/** A whole number of at least one. @throws {MurmurError} usage */
export function countFlag(flag: string, text: string | undefined, fallback: number, most = 2 ** 31): number {
  if (text === undefined) return fallback;
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= 1 && value <= most) return value;
  throw new MurmurError("usage", `${flag} wants a whole number from 1 to ${most}; got "${text}".`);
}

/** From 0 to 1. @throws {MurmurError} usage */
export function fractionFlag(flag: string, text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback;
  const value = Number(text);
  if (/^[\d.]+$/.test(text) && value >= 0 && value <= 1) return value;
  throw new MurmurError("usage", `${flag} wants a fraction from 0 to 1; got "${text}".`);
}
