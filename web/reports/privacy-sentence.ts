import { median } from "../../shared/statistics/median.ts";
import type { PrivacyReportData, PrivateCell, ReportCell } from "./privacy-report-data.ts";

/** Accuracy of a cell: the median over its seeds. */
export function cellAccuracy({ seeds }: ReportCell): number {
  return median(seeds.map(({ accuracy }) => accuracy));
}

/** "93.4 %" */
export function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

/** The first sentence of a report, true whatever the figures are: what a guarantee cost, to someone who knows neither ε nor σ. */
export function firstSentence(data: PrivacyReportData): string {
  return data.chart === "crowd" ? crowdSentence(data) : frontierSentence(data);
}

function frontierSentence({ cells }: PrivacyReportData): string {
  const privates = cells.filter((cell): cell is PrivateCell => cell.kind === "private" && cell.mechanism !== "local");
  const without = cells.find((cell) => cell.kind === "noiseless");
  if (privates.length === 0) {
    return without === undefined
      ? "Nothing was measured."
      : `No privacy guarantee was asked for: the model recognises ${percent(cellAccuracy(without))} of what it has never seen.`;
  }
  const strictest = privates.reduce((a, b) => (targetOf(b) <= 2 && closer(b, a) ? b : a));
  const accuracy = cellAccuracy(strictest);
  const promise = `With a guarantee for every device (ε = ${targetOf(strictest)})`;
  if (strictest.seeds.some(({ diverged }) => diverged)) {
    return `${promise} the model was lost in the noise: this guarantee needs more devices, or a smaller step.`;
  }
  if (without === undefined) return `${promise} the model recognises ${percent(accuracy)} of what it has never seen.`;
  const cost = cellAccuracy(without) - accuracy;
  const compared = `instead of ${percent(cellAccuracy(without))} without one`;
  if (cost < 0.0005) {
    return `${promise} the model recognises ${percent(accuracy)} of what it has never seen, ${compared}: the guarantee cost nothing that could be measured.`;
  }
  return `${promise} the model recognises ${percent(accuracy)} of what it has never seen, ${compared}: the guarantee costs ${(100 * cost).toFixed(1)} points.`;
}

/** The target that is nearest to 2, which is what a strict guarantee usually means; the stricter of two. */
function closer(candidate: PrivateCell, than: PrivateCell): boolean {
  const distance = (cell: PrivateCell): number => Math.abs(Math.log(targetOf(cell) / 2));
  return distance(candidate) < distance(than);
}

function targetOf({ epsilonTarget, epsilon }: PrivateCell): number {
  return epsilonTarget ?? epsilon.epsilon;
}

function crowdSentence({ cells, crowd }: PrivacyReportData): string {
  const [line] = crowd?.lines ?? [];
  if (line === undefined || line.noised.length === 0) return "No crowd was measured.";
  const smallest = cells[line.noised[0]];
  const largest = cells[line.noised[line.noised.length - 1]];
  const target = smallest.kind === "private" ? targetOf(smallest) : 0;
  const count = ({ population }: ReportCell): string => population.toLocaleString("en");
  if (smallest === largest) {
    return `Among ${count(largest)} devices a guarantee of ε = ${target} leaves a model that recognises ${percent(cellAccuracy(largest))} of what it has never seen.`;
  }
  return `The same guarantee (ε = ${target}) leaves a model that recognises ${percent(cellAccuracy(smallest))} of what it has never seen among ${count(smallest)} devices, and ${percent(cellAccuracy(largest))} among ${count(largest)}: privacy needs a crowd.`;
}
