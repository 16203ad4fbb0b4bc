import type { Algorithm, AlgorithmState } from "../../../shared/learning/algorithms/algorithm.ts";
import { nextClipNorm } from "../../../shared/learning/transforms/adaptive-clip.ts";
import type { PrivacyPlan } from "./privacy-plan.ts";

/** What a private run carries from round to round, beside what its algorithm does. */
export interface PrivateState extends AlgorithmState {
  readonly inner: AlgorithmState;
  /** C of the next round. */
  readonly clipNorm: number;
}

/** An algorithm whose clip norm follows the updates, so that it is saved and resumed with everything else. */
export function privateAlgorithm(inner: Algorithm, plan: PrivacyPlan): Algorithm<PrivateState> {
  const { clip } = plan.privacy;
  return {
    ...inner,
    init(parameters) {
      const state = inner.init(parameters);
      return { parameters: state.parameters, inner: state, clipNorm: plan.clipNorm };
    },
    broadcast: (state) => inner.broadcast(state.inner),
    earlier: (state) => inner.earlier?.(state.inner) ?? [],
    next(state, aggregate) {
      const next = inner.next(state.inner, aggregate);
      const { withinNorm } = aggregate;
      const clipNorm =
        typeof clip === "number" || withinNorm === undefined
          ? state.clipNorm
          : nextClipNorm(state.clipNorm, withinNorm, clip);
      return { parameters: next.parameters, inner: next, clipNorm };
    },
    encode(state) {
      const rest = inner.encode(state.inner);
      const bytes = new Uint8Array(8 + rest.length);
      new DataView(bytes.buffer).setFloat64(0, state.clipNorm);
      bytes.set(rest, 8);
      return bytes;
    },
    decode(parameters, bytes) {
      if (bytes.length < 8) throw new RangeError("a private run's state begins with its clip norm");
      const clipNorm = new DataView(bytes.buffer, bytes.byteOffset, 8).getFloat64(0);
      const state = inner.decode(parameters, bytes.slice(8));
      return { parameters: state.parameters, inner: state, clipNorm };
    },
  };
}
