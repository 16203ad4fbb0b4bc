/** "312 kB": decimal units, three significant digits. */
export function bytesText(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 || value >= 99.95 ? Math.round(value) : Number(value.toPrecision(3))} ${units[unit]}`;
}

/** "1.9s", "2min 05s", "1h 02min". */
export function secondsText(seconds: number): string {
  if (seconds < 59.95) return `${seconds.toFixed(1)}s`;
  const whole = Math.round(seconds);
  const two = (value: number) => String(value).padStart(2, "0");
  if (whole < 3600) return `${Math.floor(whole / 60)}min ${two(whole % 60)}s`;
  return `${Math.floor(whole / 3600)}h ${two(Math.floor((whole % 3600) / 60))}min`;
}

const WEEKDAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/** A time of a fleet's virtual clock, whose zero is a Monday's midnight: "Tue 20:05", "week 2 Mon 00:30". */
export function virtualTimeText(milliseconds: number): string {
  const minutes = Math.floor(milliseconds / 60_000);
  const two = (value: number) => String(value).padStart(2, "0");
  const day = Math.floor(minutes / 1440);
  const week = Math.floor(day / 7);
  const clock = `${WEEKDAYS[day % 7]} ${two(Math.floor((minutes % 1440) / 60))}:${two(minutes % 60)}`;
  return week === 0 ? clock : `week ${week + 1} ${clock}`;
}

/** A stretch of virtual time: "2d 03h", or as {@link secondsText} has it. */
export function virtualDurationText(milliseconds: number): string {
  const hours = Math.floor(milliseconds / 3_600_000);
  if (hours < 24) return secondsText(milliseconds / 1000);
  return `${Math.floor(hours / 24)}d ${String(hours % 24).padStart(2, "0")}h`;
}

/** "74.1%", or a dash where it was not measured. */
export function percentText(share: number | null | undefined): string {
  return share === null || share === undefined || Number.isNaN(share) ? "–" : `${(100 * share).toFixed(1)}%`;
}

/** "0.812", or a dash where it was not measured. */
export function decimalText(value: number | null | undefined, digits = 3): string {
  return value === null || value === undefined || Number.isNaN(value) ? "–" : value.toFixed(digits);
}

/** "1,663,370" */
export function countText(value: number): string {
  return value.toLocaleString("en-US");
}

const TICKS = "▁▂▃▄▅▆▇█";

/** The last `width` values as a line of bars between `low` and `high`. */
export function sparkline(values: readonly number[], width: number, low: number, high: number): string {
  return values
    .slice(-width)
    .map((value) => {
      const height = high > low ? (value - low) / (high - low) : 0;
      return TICKS[Math.max(0, Math.min(TICKS.length - 1, Math.floor(height * TICKS.length)))];
    })
    .join("");
}

/** A bar of `width` cells, `share` of them full. */
export function bar(share: number, width: number): string {
  const full = Math.round(Math.max(0, Math.min(1, share)) * width);
  return "█".repeat(full) + "░".repeat(width - full);
}

/** Columns aligned: text to the left, what `right` names to the right. */
export function table(rows: readonly (readonly string[])[], right: readonly number[] = []): string[] {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => visibleLength(row[column]))));
  return rows.map((row) =>
    row
      .map((cell, column) => {
        const padding = " ".repeat(widths[column] - visibleLength(cell));
        return right.includes(column) ? padding + cell : cell + padding;
      })
      .join("  ")
      .trimEnd(),
  );
}

const ESCAPE = String.fromCharCode(0x1b);
const COLOUR = new RegExp(`(${ESCAPE}\\[[0-9;]*m)`);

/** Characters that take a place on the screen. */
export function visibleLength(text: string): number {
  return text
    .split(COLOUR)
    .filter((part) => !part.startsWith(ESCAPE))
    .join("").length;
}

/** At most `width` visible characters; colours are kept and closed. */
export function clipped(text: string, width: number): string {
  if (visibleLength(text) <= width) return text;
  let visible = 0;
  let result = "";
  for (const part of text.split(COLOUR)) {
    if (part.startsWith(ESCAPE)) result += part;
    else {
      result += part.slice(0, Math.max(0, width - visible));
      visible += part.length;
    }
  }
  return result;
}

/** Words on lines of at most `width` characters; every line but the first begins with `indent` spaces. */
export function filled(text: string, width: number, indent = 0): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && visibleLength(last) + 1 + visibleLength(word) <= width)
      lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(last === undefined ? word : `${" ".repeat(indent)}${word}`);
  }
  return lines;
}
