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
  if (summary.fidelity !== undefined) return [fidelityText(summary.fidelity)];
  const { secagg } = summary;
  return [
    `masked, ${summary.protection}`,
    ...(secagg === undefined
      ? []
      : [`${secagg.graph} graph k=${secagg.degree} t=${secagg.threshold}`, `ring ${secagg.bits} bits`]),
  ];
}

/** What stands wherever protection would be claimed, when nothing was masked because the run is a simulation. */
export function fidelityText(fidelity: "accounted" | "off"): string {
  return fidelity === "off"
    ? "CRYPTOGRAPHY OFF: a simulation of sums, nothing is masked"
    : "CRYPTOGRAPHY ACCOUNTED: its messages are charged, nothing is masked";
}

/** Whether updates were hidden, so that it can be said of an abandoned round that none was opened. */
export function isMasked(protection: RunSummary["protection"] | undefined): boolean {
  return protection === "curious-server" || protection === "active-server";
}
