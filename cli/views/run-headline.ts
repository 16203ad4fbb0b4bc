import type { RunSummary } from "../../shared/protocol/events.ts";
import { countText } from "./figures.ts";

/** What is learnt and by whom, for a headline. */
export function headlineParts(summary: RunSummary, seed: number | undefined): string[] {
  return [
    `${summary.dataset}, ${summary.partition}`,
    `${summary.model} (${countText(summary.parameters)} parameters)`,
    `${countText(summary.devices)} devices`,
    `cohort ${summary.cohort} of ${summary.invited} invited`,
    ...(seed === undefined ? [] : [`seed ${seed}`]),
    ...summary.stamps,
  ];
}

/** How the coordinator is kept from seeing more than sums, for a headline. */
export function protectionParts(summary: RunSummary): string[] {
  if (summary.protection === "plaintext") return ["PLAINTEXT: the coordinator sees every update"];
  const { secagg } = summary;
  return [
    `masked, ${summary.protection}`,
    ...(secagg === undefined
      ? []
      : [`${secagg.graph} graph k=${secagg.degree} t=${secagg.threshold}`, `ring ${secagg.bits} bits`]),
  ];
}
