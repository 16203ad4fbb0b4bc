import { discreteGaussianWeights, skellamWeights } from "./bounded-weights.ts";
import { type IntegerLaw, integerLaw } from "./integer-law.ts";
import { rationalOf } from "./rational.ts";
import { rejectionGaussian } from "./rejection-law.ts";

export type NoiseKind = "gaussian" | "skellam";

/** Tables of wider laws take longer to make than they save. */
const WIDEST_TABLE = 2 ** 15;
/** A run has one law, or two: that of a device, and that of a sum. */
const KEPT = 4;
const laws = new Map<string, Pick<IntegerLaw, "addTo">>();

/**
 * The exact law of whole-numbered noise of this variance, in units of the grid squared. Kept, because a table takes a
 * while to make.
 * @throws {RangeError} for Skellam noise that is too wide for a table
 */
export function noiseLaw(kind: NoiseKind, variance: number): Pick<IntegerLaw, "addTo"> {
  const name = `${kind}:${variance}`;
  const known = laws.get(name);
  if (known !== undefined) return known;
  const law = createLaw(kind, variance);
  for (const old of laws.keys()) if (laws.size >= KEPT) laws.delete(old);
  laws.set(name, law);
  return law;
}

function createLaw(kind: NoiseKind, variance: number): Pick<IntegerLaw, "addTo"> {
  const exact = rationalOf(variance);
  if (kind === "skellam") return integerLaw(skellamWeights(exact));
  if (Math.sqrt(variance) > WIDEST_TABLE) return rejectionGaussian(exact);
  return integerLaw(discreteGaussianWeights(exact));
}
