import type { DeviceState } from "../../shared/protocol/events.ts";
import { STAGES, type Stage } from "../../shared/protocol/reasons.ts";
import type { Colours } from "./colours.ts";
import {
  bar,
  bytesText,
  clipped,
  countText,
  decimalText,
  percentText,
  secondsText,
  sparkline,
  virtualDurationText,
  virtualTimeText,
  visibleLength,
} from "./figures.ts";
import { headlineParts, isMasked, protectionParts } from "./run-headline.ts";
import { presenceText } from "./run-lines.ts";
import type { CurrentRound, RunProgress } from "./run-progress.ts";

export interface ViewOptions {
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Width of the terminal; lines are at most this long. */
  readonly columns: number;
  readonly paint: Colours;
  /** What a stop signal asked for. */
  readonly stop: "none" | "after-round" | "now";
}

/** The live view of a run: a function from what happened to lines, without cursor, clock or stream. */
export function liveView(progress: RunProgress, options: ViewOptions): string[] {
  const { paint, columns } = options;
  const lines = [
    ...header(progress, options),
    "",
    ...roundLines(progress, options),
    ...(progress.presence === undefined
      ? deviceLines(progress.current, paint, columns)
      : [`${label("devices")}${presenceText(progress.presence, options.now)}`, ""]),
    ...accuracyLines(progress, paint, columns),
    ...clockLines(progress),
    ...trafficLines(progress, paint, columns),
    ...lossLines(progress, paint, columns),
    stopLine(progress, options),
  ];
  return lines.map((line) => clipped(line, columns));
}

function header(progress: RunProgress, { now, columns, paint }: ViewOptions): string[] {
  const title = `${paint.bold("murmur")} ${paint.bold(progress.run)}`;
  const elapsed = progress.startedAt === undefined ? "" : secondsText(Math.max(0, now - progress.startedAt) / 1000);
  const parts = progress.summary === undefined ? ["starting …"] : headlineParts(progress.summary, progress.seed);
  const protection = progress.summary === undefined ? [] : protectionParts(progress.summary);
  const first = wrapped([title, ...parts], columns - elapsed.length - 2, paint);
  const gap = " ".repeat(Math.max(2, columns - visibleLength(first[0]) - elapsed.length));
  return [`${first[0]}${gap}${paint.dim(elapsed)}`, ...first.slice(1), ...wrapped(protection, columns, paint)];
}

/** Parts joined with dots, on as many lines as they need. */
function wrapped(parts: readonly string[], width: number, paint: Colours): string[] {
  const lines: string[] = [];
  for (const part of parts) {
    const last = lines.at(-1);
    const joined = last === undefined ? part : `${last} ${paint.dim("·")} ${part}`;
    if (last === undefined) lines.push(part);
    else if (visibleLength(joined) <= width) lines[lines.length - 1] = joined;
    else lines.push(part);
  }
  return lines;
}

function roundLines(progress: RunProgress, { columns, paint }: ViewOptions): string[] {
  const total = progress.summary?.rounds ?? 0;
  const committed = progress.history.length;
  const width = Math.max(10, Math.min(40, columns - 40));
  const filled = paint.learnt(bar(total === 0 ? 0 : committed / total, width));
  const current = progress.current === undefined ? "" : `   ${paint.dim("now round")} ${progress.current.round}`;
  const stages = progress.current === undefined ? [""] : stageLines(progress.current, paint, columns);
  return [`${label("rounds")}${filled} ${committed}/${total}${current}`, ...stages];
}

/** The state in which an answer to a stage leaves a device, where a view can see it. */
const REACHED: Readonly<Partial<Record<Stage, readonly DeviceState[]>>> = {
  configure: ["training", "trained", "masked", "summed"],
  train: ["trained", "masked", "summed"],
  mask: ["masked", "summed"],
};

/** The nine stages in a row: those behind, the one under way with how many have answered, those ahead. */
function stageLines(current: CurrentRound, paint: Colours, columns: number): string[] {
  const at = current.stage === undefined ? -1 : STAGES.indexOf(current.stage);
  const cells = STAGES.map((stage, i) => {
    if (i > at) return paint.dim(stage);
    return i < at ? paint.learnt(stage) : paint.bold(`▸${stage} ${answeredText(current, stage)}`);
  });
  const lines = [label("stage")];
  for (const cell of cells) {
    const joined = `${lines[lines.length - 1]}${cell} `;
    if (visibleLength(joined) <= columns) lines[lines.length - 1] = joined;
    else lines.push(`${label("")}${cell} `);
  }
  return lines.map((line) => line.trimEnd());
}

function answeredText({ devices, expected }: CurrentRound, stage: Stage): string {
  const states = REACHED[stage];
  if (states === undefined) return String(expected);
  return `${[...devices.values()].filter((state) => states.includes(state)).length}/${expected}`;
}

const GLYPHS: Readonly<Record<DeviceState, string>> = {
  idle: "·",
  eligible: "·",
  selected: "○",
  training: "◐",
  trained: "●",
  masked: "▲",
  summed: "◆",
  lost: "✕",
};

function glyph(state: DeviceState, paint: Colours): string {
  const mark = GLYPHS[state];
  if (state === "summed") return paint.learnt(mark);
  if (state === "masked") return paint.mask(mark);
  if (state === "lost") return paint.warning(mark);
  return state === "idle" || state === "eligible" ? paint.dim(mark) : paint.device(mark);
}

/** One mark for each invited device while they fit, and how many have got how far. */
function deviceLines(current: CurrentRound | undefined, paint: Colours, columns: number): string[] {
  const devices = current === undefined ? [] : [...current.devices].sort(([a], [b]) => (a < b ? -1 : 1));
  const counts = new Map<DeviceState, number>();
  for (const [, state] of devices) counts.set(state, (counts.get(state) ?? 0) + 1);
  const shown = (Object.keys(GLYPHS) as DeviceState[]).filter((state) => counts.has(state));
  const texts = shown.map((state) => `${glyph(state, paint)} ${counts.get(state)} ${state}`);
  const fits = devices.length > 0 && devices.length <= columns - LABEL_WIDTH;
  const grid = fits ? devices.map(([, state]) => glyph(state, paint)).join("") : texts.join("  ");
  return [`${label("devices")}${grid}`, `${label("")}${fits ? texts.join("  ") : ""}`];
}

/** The curve spans what was reached so far: late rounds gain little, and that little is what one waits for. */
function accuracyLines({ history }: RunProgress, paint: Colours, columns: number): string[] {
  const measured = history.filter((point) => point.acc !== null);
  const accuracies = measured.map((point) => point.acc ?? 0);
  const last = measured.at(-1);
  const lowest = Math.min(...accuracies);
  const curve = sparkline(accuracies, Math.max(8, Math.min(60, columns - 50)), lowest, Math.max(...accuracies));
  const start = `${label("accuracy")}${paint.bold(percentText(last?.acc))}`;
  if (last === undefined) return [start];
  return [
    joinFitting(columns, start, [
      paint.learnt(curve),
      `${paint.dim("loss")} ${decimalText(last.loss)}`,
      accuracies.length > 1 ? paint.dim(`lowest ${percentText(lowest)}`) : "",
    ]),
  ];
}

/** What time it is for a fleet with a clock of its own. */
function clockLines({ virtual }: RunProgress): string[] {
  if (virtual === undefined) return [];
  const { from, until } = virtual;
  return [
    `${label("clock")}${virtualTimeText(until)} for the fleet, ${virtualDurationText(until - from)} since it began`,
  ];
}

function trafficLines({ history }: RunProgress, paint: Colours, columns: number): string[] {
  const sum = (pick: "up" | "down") => history.reduce((total, point) => total + point[pick], 0);
  const last = history.at(-1);
  return [
    joinFitting(columns, `${label("traffic")}${bytesText(sum("up"))} up, ${bytesText(sum("down"))} down`, [
      last === undefined
        ? ""
        : paint.dim(
            `last round ${bytesText(last.up)} up, ${bytesText(last.down)} down, ${secondsText(last.ms / 1000)}`,
          ),
    ]),
  ];
}

function lossLines({ drops, abandoned }: RunProgress, paint: Colours, columns: number): string[] {
  const reasons = Object.entries(drops).sort(([, a], [, b]) => b - a);
  const lost = reasons.map(([reason, count]) => `${countText(count)} ${reason}`).join(", ");
  const last = abandoned.at(-1);
  return [
    joinFitting(columns, `${label("lost")}${lost === "" ? paint.dim("none") : lost}`, [
      last === undefined ? "" : paint.warning(`${abandoned.length} abandoned`),
      last === undefined ? "" : paint.dim(`(last: ${last.reason})`),
    ]),
  ];
}

/** What is said first, and of the rest what there is room for. */
function joinFitting(columns: number, first: string, rest: readonly string[]): string {
  return rest.reduce((line, part) => {
    const joined = part === "" ? line : `${line}  ${part}`;
    return visibleLength(joined) <= columns ? joined : line;
  }, first);
}

function stopLine({ summary }: RunProgress, { stop, paint }: ViewOptions): string {
  if (stop === "after-round") return paint.warning("stopping after this round · Ctrl-C again abandons it now");
  const unopened = isMasked(summary?.protection) ? ": no update of it is opened" : "";
  if (stop === "now") return paint.warning(`abandoning this round${unopened}`);
  return paint.dim("Ctrl-C stops after the current round");
}

const LABEL_WIDTH = 10;

function label(text: string): string {
  return text.padEnd(LABEL_WIDTH);
}
