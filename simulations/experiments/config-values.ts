import { z } from "zod";

const UNITS = { ms: 1, s: 1_000, min: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const PATTERN = /^(\d+(?:\.\d+)?)\s*(ms|s|min|h|d)$/;

/**
 * A duration as people write it ("30s", "1.5min", "250ms", "90d"), in code a number of milliseconds. It writes itself
 * back in the largest unit that holds it exactly, so that a resolved file reads like one written by hand.
 */
export const duration = z.codec(
  z.string().regex(PATTERN, { error: 'write a duration with its unit, such as "30s", "2min" or "500ms"' }),
  z.number().positive({ error: "a duration must be longer than nothing" }),
  { decode: (text) => parseDuration(text) ?? Number.NaN, encode: formatDuration },
);

/** Milliseconds, or undefined when `text` is not a duration. */
export function parseDuration(text: string): number | undefined {
  const match = PATTERN.exec(text.trim());
  return match === null ? undefined : Number(match[1]) * UNITS[match[2] as keyof typeof UNITS];
}

/** The shortest exact form of a number of milliseconds. */
export function formatDuration(milliseconds: number): string {
  for (const unit of ["d", "h", "min", "s"] as const) {
    if (milliseconds % UNITS[unit] === 0 && milliseconds > 0) return `${milliseconds / UNITS[unit]}${unit}`;
  }
  return `${milliseconds}ms`;
}
