import type { HoldingsSpec } from "./holdings.ts";

/** A partition in one word, as it is told to devices: "iid", "shards:2", "dirichlet:0.5", "drawn:600". */
export function partitionSpecification(spec: HoldingsSpec): string {
  switch (spec.kind) {
    case "iid":
      return "iid";
    case "shards":
      return `shards:${spec.perDevice}`;
    case "dirichlet":
      return `dirichlet:${spec.alpha}`;
    case "drawn":
      return `drawn:${spec.perDevice}`;
  }
}

/** What such a word says, or undefined when it says nothing. */
export function parsePartition(text: string): HoldingsSpec | undefined {
  if (text === "iid") return { kind: "iid" };
  const [kind, number] = text.split(":", 2);
  const value = Number(number);
  // Only what is written as above: not " 2", "0x2" or "2:3".
  if (text !== `${kind}:${value}` || !Number.isFinite(value) || value <= 0) return undefined;
  if (kind === "drawn" && Number.isSafeInteger(value)) return { kind, perDevice: value };
  if (kind === "shards" && Number.isSafeInteger(value)) return { kind, perDevice: value };
  return kind === "dirichlet" ? { kind, alpha: value } : undefined;
}
