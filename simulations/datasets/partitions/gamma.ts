import { naturalLog } from "../../../shared/random/elementary-functions.ts";
import type { SeededRandom } from "../../../shared/random/seeded-random.ts";

/**
 * The logarithm of a draw from Gamma(shape, 1), shape > 0 (Marsaglia and Tsang, "A simple method for generating gamma
 * variables", ACM TOMS 26(3), 2000). The logarithm, because with a small shape the draw itself is often below the
 * smallest double.
 */
export function drawLogGamma(shape: number, random: SeededRandom): number {
  if (!(shape > 0)) throw new RangeError(`a gamma distribution has a positive shape, not ${shape}`);
  // Their section 6: Gamma(shape) = Gamma(shape + 1) · U^(1 / shape).
  if (shape < 1) return drawLogGamma(shape + 1, random) + naturalLog(1 - random.uniform()) / shape;

  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const x = random.normal();
    const root = 1 + c * x;
    if (root <= 0) continue;
    const v = root * root * root;
    const u = 1 - random.uniform();
    if (naturalLog(u) < 0.5 * x * x + d * (1 - v + naturalLog(v))) return naturalLog(d) + naturalLog(v);
  }
}
