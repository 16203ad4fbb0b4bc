/**
 * An ε with everything that gives it a meaning. No view, log or file shows an ε otherwise, and a run without noise has
 * none to show (`privacy.md` 5.2, item 1).
 */
export interface EpsilonStatement {
  /** ε with the amplification by sampling, where there is any. */
  readonly epsilon: number;
  readonly delta: number;
  /** What one unit of the guarantee is: everything that one device ever contributes. */
  readonly unit: "device";
  readonly adjacency: Adjacency;
  readonly sampling: SamplingStatement;
  readonly accountant: Accountant;
  /** ε without any amplification, for as many participations of one device. */
  readonly unamplified: { readonly epsilon: number; readonly participations: number; readonly enforced: boolean };
  /** The guarantee holds against so many devices that collude with the coordinator and tell it their noise. */
  readonly colluders?: number;
  /** Coins or noise came from a published seed: it is the ε of the mechanism, and nobody's guarantee. */
  readonly simulation: boolean;
}

export type Adjacency = "add-or-remove-one" | "zero-out" | "replace-one";

export type Accountant = "rdp" | "pld" | "analytic-gaussian" | "zcdp";

export type SamplingStatement =
  | { readonly kind: "none" }
  | { readonly kind: "poisson"; readonly rate: number; readonly rounds: number }
  | { readonly kind: "fixed-size"; readonly population: number; readonly cohort: number; readonly rounds: number }
  | { readonly kind: "separated"; readonly rounds: number; readonly gap: number };

const ADJACENCIES: Readonly<Record<Adjacency, string>> = {
  "add-or-remove-one": "one device more or less",
  "zero-out": "one device's update replaced by zero",
  "replace-one": "one device replaced by another",
};

const ACCOUNTANTS: Readonly<Record<Accountant, string>> = {
  rdp: "Rényi accountant",
  pld: "privacy loss distribution",
  "analytic-gaussian": "analytic Gaussian",
  zcdp: "zero-concentrated accountant",
};

/** The statement in one line of plain text. */
export function epsilonText(statement: EpsilonStatement): string {
  const { epsilon, delta, adjacency, sampling, accountant, unamplified, colluders, simulation } = statement;
  const parts = [
    `ε = ${roundedUp(epsilon)} at δ = ${delta}`,
    `per device (${ADJACENCIES[adjacency]})`,
    samplingText(sampling),
    ACCOUNTANTS[accountant],
    `without amplification ε = ${roundedUp(unamplified.epsilon)} for ${unamplified.participations} ${unamplified.participations === 1 ? "participation" : "participations"}, ${unamplified.enforced ? "the most that a device takes part in" : "which is every round"}`,
  ];
  if (colluders !== undefined) parts.push(`against ${colluders} colluding devices`);
  return `${simulation ? "ε of the mechanism (simulation): " : ""}${parts.join(", ")}`;
}

function samplingText(sampling: SamplingStatement): string {
  switch (sampling.kind) {
    case "none":
      return "no sampling";
    case "poisson":
      return `Poisson sampling at ${sampling.rate} over ${roundsText(sampling.rounds)}`;
    case "fixed-size":
      return `${sampling.cohort} of ${sampling.population} drawn without replacement over ${roundsText(sampling.rounds)}`;
    case "separated":
      return `every device at most once in ${sampling.gap} of ${sampling.rounds} rounds`;
  }
}

function roundsText(rounds: number): string {
  return `${rounds} ${rounds === 1 ? "round" : "rounds"}`;
}

/** Three significant digits and at least two decimals, never down. */
export function roundedUp(epsilon: number): string {
  if (!Number.isFinite(epsilon)) return "∞";
  const decimals = epsilon > 0 && epsilon < 0.1 ? 2 - Math.floor(Math.log10(epsilon)) : 2;
  const scale = 10 ** decimals;
  // A value that is a decimal already stays what it is: 8 · 100 must not become 801 by the last bit of a product.
  const scaled = Math.ceil(epsilon * scale * (1 - 1e-12));
  return (scaled / scale).toFixed(decimals).replace(/\.?0+$/, "");
}
