import { ringNoise } from "../../../../shared/learning/transforms/ring-noise.ts";
import { rotate } from "../../../../shared/learning/transforms/rotate.ts";
import type { UpdateTransform } from "../../../../shared/learning/transforms/update-transform.ts";
import type { AuditedRelease } from "../../../../simulations/attacks/audit/audited-release.ts";

/** Builds with faults that have been seen in the field. They exist here only: nothing in the product can choose them. */
export const FAULTS: Readonly<Record<string, (sound: AuditedRelease) => AuditedRelease>> = {
  "noise × 0.9": (sound) => withNoise(sound, 0.9),
  "noise / √2, as when half of the shares are lost": (sound) => withNoise(sound, Math.SQRT1_2),
  "a missing clip": withoutClip,
  "noise divided by the number of devices twice": (sound) => withNoise(sound, 1 / Math.sqrt(sound.shares)),
};

/** The devices' shares have another standard deviation than is claimed. */
export function withNoise(sound: AuditedRelease, factor: number): AuditedRelease {
  return withTransforms(sound, "noise", (transform) => {
    const [, kind, variance] = transform.specification.split(":");
    if (kind !== "gaussian") throw new Error(`no fault is known for ${kind} noise`);
    return [ringNoise(kind, Number(variance) * factor * factor)];
  });
}

/** Nothing is clipped, and the rounding, which would refuse a long vector, does not look at norms either. */
export function withoutClip(sound: AuditedRelease): AuditedRelease {
  const unclipped = withTransforms(sound, "clip", () => []);
  return withTransforms(unclipped, "rotate", (transform) => {
    const [coordinates, norm, scale, bits, seed] = transform.specification.split(":").slice(1).map(Number);
    return [rotate(coordinates, 100 * norm, scale, bits, seed)];
  });
}

function withTransforms(
  sound: AuditedRelease,
  name: string,
  fault: (transform: UpdateTransform) => readonly UpdateTransform[],
): AuditedRelease {
  const named = ({ specification }: UpdateTransform) => specification.split(":")[0] === name;
  if (!sound.transforms.some(named)) throw new Error(`the build has no ${name}`);
  return {
    ...sound,
    transforms: sound.transforms.flatMap((transform) => (named(transform) ? fault(transform) : [transform])),
  };
}
