import type { CreatePool } from "../../simulations/fleet/training/training-pool.ts";
import { median } from "../bench/report.ts";
import { CNN_ROW, PAPER_ROWS, type PaperRow } from "./mcmahan-rows.ts";
import { type CurvePoint, roundsToTarget } from "./rounds-to-target.ts";
import { trainToTarget } from "./train-to-target.ts";

export interface ReproductionOptions {
  /** One row and one seed, for a few rounds. */
  readonly quick: boolean;
  /** The CNN's row too. */
  readonly cnn: boolean;
  /** The rows that take hours too. */
  readonly long: boolean;
  /** Only the rows of these names; none: all. */
  readonly rows: readonly string[];
  readonly seeds: number;
  /** Another learning rate than the rows', to look for a better one. */
  readonly learningRate?: number;
  readonly createPool: CreatePool;
  readonly onProgress: (what: string) => void;
}

/** A row of the paper, and beside it what was found here. */
export interface ReproducedRow {
  readonly row: PaperRow;
  /** By seed, from 1: rounds to the target, or null where the cap was reached before it. */
  readonly rounds: readonly (number | null)[];
  /** Over all seeds; null unless more than half of them reached it. */
  readonly median: number | null;
  /** By seed: the best accuracy. */
  readonly best: readonly number[];
}

/** Rounds of the short form, which ends long before the target. */
const QUICK_ROUNDS = 6;

/** @throws {RangeError} for a row that there is not */
export async function reproduceMcMahan(options: ReproductionOptions): Promise<ReproducedRow[]> {
  const reproduced: ReproducedRow[] = [];
  for (const row of chosenRows(options)) {
    const curves: CurvePoint[][] = [];
    for (let seed = 1; seed <= (options.quick ? 1 : options.seeds); seed++) {
      const curve = await trainToTarget({ row, seed, createPool: options.createPool });
      curves.push(curve);
      const rounds = roundsToTarget(curve, row.target);
      const outcome = rounds === undefined ? `not in ${row.cap} rounds` : `${rounds.toFixed(1)} rounds`;
      options.onProgress(
        `${row.name}, η = ${row.learningRate}, seed ${seed}: ${outcome}, best ${percent(best(curve))}`,
      );
    }
    const rounds = curves.map((curve) => roundsToTarget(curve, row.target) ?? null);
    reproduced.push({ row, rounds, median: medianRounds(rounds), best: curves.map(best) });
  }
  return reproduced;
}

/** Over all seeds: one that did not reach the target took more rounds than any that did. */
export function medianRounds(rounds: readonly (number | null)[]): number | null {
  const middle = median(rounds.map((count) => count ?? Number.POSITIVE_INFINITY));
  return Number.isFinite(middle) ? middle : null;
}

function chosenRows({ quick, cnn, long, rows, learningRate }: ReproductionOptions): readonly PaperRow[] {
  const all = [...PAPER_ROWS, CNN_ROW];
  const unknown = rows.find((name) => all.every((row) => row.name !== name));
  if (unknown !== undefined) throw new RangeError(`there is no row "${unknown}"`);
  const chosen =
    rows.length > 0
      ? all.filter(({ name }) => rows.includes(name))
      : quick
        ? all.filter(({ name }) => name === "iid-c0.1-e1")
        : [...PAPER_ROWS.filter(({ isLong }) => long || isLong !== true), ...(cnn ? [CNN_ROW] : [])];
  return chosen.map((row) => ({
    ...row,
    ...(learningRate === undefined ? {} : { learningRate }),
    ...(quick ? { cap: QUICK_ROUNDS } : {}),
  }));
}

/** For people. */
export function reproductionTable(rows: readonly ReproducedRow[]): string {
  const lines = rows.map(({ row, rounds, median: middle, best: accuracies }) => [
    row.table,
    row.model,
    row.partition,
    row.fraction.toFixed(1),
    String(row.epochs),
    String(row.learningRate),
    percent(row.target),
    String(row.paper),
    figure(middle),
    rounds.map(figure).join(" "),
    percent(Math.max(...accuracies)),
  ]);
  const head = ["source", "model", "data", "C", "E", "η", "target", "paper", "here", "by seed", "best"];
  const widths = head.map((title, column) => Math.max(title.length, ...lines.map((line) => line[column].length)));
  const text = [head, ...lines].map((line) => line.map((cell, column) => cell.padEnd(widths[column])).join("  "));
  return ["McMahan et al. 2017: rounds to a test accuracy on MNIST, 100 devices, batches of 10", "", ...text]
    .map((line) => line.trimEnd())
    .join("\n");
}

function best(curve: readonly CurvePoint[]): number {
  return curve.reduce((most, { accuracy }) => Math.max(most, accuracy), 0);
}

function percent(share: number): string {
  return `${(100 * share).toFixed(2)} %`;
}

function figure(rounds: number | null): string {
  return rounds === null ? "–" : rounds.toFixed(1);
}
