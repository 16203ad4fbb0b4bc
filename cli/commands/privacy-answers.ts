import { accountEvent } from "../../shared/privacy/accounting/account-events.ts";
import { calibratedNoise } from "../../shared/privacy/accounting/calibrate.ts";
import { poissonGaussianCurve } from "../../shared/privacy/accounting/gaussian-rdp.ts";
import { composedRdp } from "../../shared/privacy/accounting/orders.ts";
import { pldNoiseMultiplier } from "../../shared/privacy/accounting/pld/calibrate.ts";
import { rdpEpsilon } from "../../shared/privacy/accounting/rdp-conversion.ts";
import { MurmurError } from "../../shared/protocol/errors.ts";
import type { EventQuery, TargetQuery } from "./privacy-queries.ts";

/** What `murmur privacy account` says of an event. */
export function answerEventQuery({ event, delta }: EventQuery, index: number) {
  const { rdp, tight, unamplified, adjacency } = carefully(index, () => accountEvent(event, delta));
  return {
    kind: event.kind,
    delta,
    unit: "device",
    adjacency,
    /** Null: no Rényi accountant is known for it. */
    rdp_epsilon: rdp?.epsilon ?? null,
    rdp_order: rdp?.order ?? null,
    /** By privacy loss distributions, or exact; null: none is known for it. */
    pld_epsilon: tight?.epsilon ?? null,
    pld_accountant: tight?.by ?? null,
    unamplified_epsilon: unamplified,
  };
}

/** What `murmur privacy calibrate` says of a target. */
export function answerTargetQuery({ sampling, steps, delta, epsilon }: TargetQuery, index: number) {
  return carefully(index, () => {
    const rdp = calibratedNoise((noiseMultiplier) => {
      const curve = poissonGaussianCurve(sampling, noiseMultiplier);
      return rdpEpsilon(composedRdp([{ curve, times: steps }]), delta).epsilon;
    }, epsilon);
    return {
      q: sampling,
      steps,
      delta,
      target_epsilon: epsilon,
      unit: "device",
      adjacency: "add-or-remove-one",
      rdp_noise_multiplier: rdp,
      pld_noise_multiplier: pldNoiseMultiplier({ sampling, steps, epsilon, delta }),
    };
  });
}

function carefully<T>(index: number, answer: () => T): T {
  try {
    return answer();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new MurmurError("usage", `Element ${index}: ${error.message}.`, {
      hint: "docs/privacy.md says what each kind of event wants.",
    });
  }
}
