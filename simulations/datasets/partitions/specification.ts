import type { HoldingsSpec } from "./holdings.ts";

/** A partition in one word, as it is told to devices: "iid", "shards:2", "dirichlet:0.5", "quantity:2", "natural:1". */
export function partitionSpecification(spec: HoldingsSpec): string {
  switch (spec.kind) {
    case "iid":
      return "iid";
    case "shards":
      return `shards:${spec.perDevice}`;
    case "dirichlet":
      return `dirichlet:${spec.alpha}`;
    case "quantity":
      return `quantity:${spec.sigma}`;
    case "natural":
      return spec.perDevice === undefined ? "natural" : `natural:${spec.perDevice}`;
    case "drawn":
      return `drawn:${spec.perDevice}`;
  }
}

/** What such a word says, or undefined when it says nothing. */
export function parsePartition(text: string): HoldingsSpec | undefined {
  if (text === "iid" || text === "natural") return { kind: text };
  const [kind, number] = text.split(":", 2);
  const value = Number(number);
  // Only what is written as above: not " 2", "0x2" or "2:3".
  if (text !== `${kind}:${value}` || !Number.isFinite(value) || value < 0) return undefined;
  if (kind === "quantity") return { kind, sigma: value };
  if (value === 0) return undefined;
  if (kind === "dirichlet") return { kind, alpha: value };
  const perDevice = kind === "shards" || kind === "drawn" || kind === "natural";
  return perDevice && Number.isSafeInteger(value) ? { kind, perDevice: value } : undefined;
}

/** A partition in a few words, for people. */
export function partitionText(partition: HoldingsSpec): string {
  switch (partition.kind) {
    case "iid":
      return "iid";
    case "shards":
      return `${partition.perDevice} shards a device`;
    case "dirichlet":
      return `Dirichlet ${partition.alpha}`;
    case "drawn":
      return `${partition.perDevice} drawn by each device`;
    case "quantity":
      return `log-normal sizes, sigma ${partition.sigma}`;
    case "natural":
      return partition.perDevice === undefined ? "natural" : `natural, ${partition.perDevice} owners a device`;
  }
}
