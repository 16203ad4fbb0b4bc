import { roundedUp } from "../../shared/privacy/epsilon-statement.ts";
import { MECHANISM_NAMES } from "./mechanism-names.ts";
import type { PrivateCell, ReportCell } from "./privacy-report-data.ts";

export const NO_NOISE = "no noise";

/** "central, ε = 8": what tells a cell from the others of its report, but for the number of devices. */
export function cellName(cell: ReportCell, cells: readonly ReportCell[]): string {
  return [MECHANISM_NAMES[cell.mechanism], guaranteeText(cell), ...furtherSettings(cell, cells)].join(", ");
}

/** "ε = 8", or that there is no noise. */
export function guaranteeText(cell: ReportCell): string {
  return cell.kind === "private" ? `ε = ${targetText(cell)}` : NO_NOISE;
}

/** The ε that was asked for; where none was, the one that was reached. */
export function targetOf({ epsilonTarget, epsilon }: PrivateCell): number {
  return epsilonTarget ?? epsilon.epsilon;
}

/** A target as it was asked for; an ε that was reached is never rounded down. */
export function targetText({ epsilonTarget, epsilon }: PrivateCell): string {
  return epsilonTarget === null ? roundedUp(epsilon.epsilon) : String(epsilonTarget);
}

/** What varies in a report beside mechanism, guarantee and number of devices, as this cell has it. */
export function furtherSettings(cell: ReportCell, cells: readonly ReportCell[]): string[] {
  const varies = (of: (cell: ReportCell) => string | number | null): boolean =>
    new Set(cells.map(of).filter((value) => value !== null)).size > 1;
  const { heterogeneity, samplingRate, dropout, bits } = cell;
  return [
    ...(varies((other) => other.heterogeneity)
      ? [typeof heterogeneity === "number" ? `α = ${heterogeneity}` : heterogeneity]
      : []),
    ...(varies((other) => other.samplingRate) ? [`q = ${samplingRate}`] : []),
    ...(varies((other) => other.dropout) ? [`${Number((100 * dropout).toPrecision(3))} % lost`] : []),
    ...(bits !== null && varies((other) => other.bits) ? [`${bits} bits`] : []),
  ];
}

/** Whether two cells differ in nothing but who makes how much noise, and how its sum is sent. */
export function isSameFleet(a: ReportCell, b: ReportCell): boolean {
  return (
    a.population === b.population &&
    a.samplingRate === b.samplingRate &&
    a.dropout === b.dropout &&
    a.heterogeneity === b.heterogeneity
  );
}

/** The run without noise that a cell is compared with: of its own mechanism where there is one. */
export function withoutNoise(cell: ReportCell, cells: readonly ReportCell[]): ReportCell | undefined {
  const without = cells.filter((other) => other.kind === "noiseless" && isSameFleet(other, cell));
  return (
    without.find(({ mechanism, bits }) => mechanism === cell.mechanism && bits === cell.bits) ??
    // Without noise local updates are what central ones are.
    without.find(({ mechanism }) => mechanism === (cell.mechanism === "local" ? "central" : cell.mechanism)) ??
    without[0]
  );
}
