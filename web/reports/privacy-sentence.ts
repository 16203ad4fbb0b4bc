import { median } from "../../shared/statistics/median.ts";
import { isSameFleet, targetOf, targetText, withoutNoise } from "./cell-name.ts";
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
  const headline = cells.filter((cell) => isSameFleet(cell, cells[0]));
  const privates = headline.filter((cell): cell is PrivateCell => cell.kind === "private");
  const trusting = privates.filter(({ mechanism }) => mechanism !== "local");
  const candidates = trusting.length > 0 ? trusting : privates;
  if (candidates.length === 0) {
    const [without] = headline;
    return without === undefined
      ? "Nothing was measured."
      : `No privacy guarantee was asked for: the model recognises ${seen(without)}.`;
  }
  const strict = candidates.reduce((a, b) => (isCloserToStrict(b, a) ? b : a));
  const promise = `With a guarantee for every device (ε = ${targetText(strict)})`;
  const lost = strict.seeds.filter(({ diverged }) => diverged).length;
  if (lost === strict.seeds.length) {
    return `${promise} the model was lost in the noise: this guarantee needs more devices, or a smaller step.`;
  }
  const without = withoutNoise(strict, headline);
  const result = `${promise} the model recognises ${seen(strict)}`;
  const warning =
    lost === 0 ? "" : ` In ${lost} of ${strict.seeds.length} runs it was lost in the noise: the step is too large.`;
  // What diverged by itself says nothing of what noise costs.
  if (without === undefined || without.seeds.some(({ diverged }) => diverged)) return `${result}.${warning}`;
  const compared = `instead of ${percent(cellAccuracy(without))} without one`;
  const cost = shownCost(strict, without);
  if (cost <= 0) return `${result}, ${compared}: the guarantee cost nothing that could be measured.${warning}`;
  return `${result}, ${compared}: the guarantee costs ${cost.toFixed(1)} points.${warning}`;
}

/** Nearer to 2, which is what a strict guarantee usually means; of two as near, the stricter. */
function isCloserToStrict(candidate: PrivateCell, than: PrivateCell): boolean {
  const distance = (cell: PrivateCell): number => Math.abs(Math.log(targetOf(cell) / 2));
  const further = distance(candidate) - distance(than);
  return Math.abs(further) < 1e-9 ? targetOf(candidate) < targetOf(than) : further < 0;
}

function crowdSentence({ cells, crowd }: PrivacyReportData): string {
  const [line] = crowd?.lines ?? [];
  if (line === undefined || line.noised.length === 0) return "No crowd was measured.";
  const smallest = cells[line.noised[0]];
  const largest = cells[line.noised[line.noised.length - 1]];
  const target = smallest.kind === "private" ? targetText(smallest) : "∞";
  const count = ({ population }: ReportCell): string => population.toLocaleString("en");
  if (smallest === largest) {
    return `Among ${count(largest)} devices a guarantee of ε = ${target} leaves a model that recognises ${seen(largest)}.`;
  }
  return `The same guarantee (ε = ${target}) leaves a model that recognises ${seen(smallest)} among ${count(smallest)} devices, and ${percent(cellAccuracy(largest))} among ${count(largest)}: ${crowdLesson(smallest, largest, cells)}.`;
}

/** More devices are more data also: a crowd is what privacy needs where its price falls. */
function crowdLesson(smallest: ReportCell, largest: ReportCell, cells: readonly ReportCell[]): string {
  if (cellAccuracy(largest) <= cellAccuracy(smallest)) return "more devices did not help";
  const [small, large] = [smallest, largest].map((cell) => withoutNoise(cell, cells));
  if (small === undefined || large === undefined) return "among more it is better";
  return shownCost(largest, large) < shownCost(smallest, small)
    ? "privacy needs a crowd"
    : "a crowd has more data, but the guarantee costs as much in it";
}

/** In points, of the figures as they are shown: a reader who subtracts them comes to the same. */
function shownCost(cell: ReportCell, without: ReportCell): number {
  const shown = (of: ReportCell): number => Number((100 * cellAccuracy(of)).toFixed(1));
  return Math.round(10 * (shown(without) - shown(cell))) / 10;
}

function seen(cell: ReportCell): string {
  return `${percent(cellAccuracy(cell))} of what it has never seen`;
}
