import { concatBytes } from "../../crypto/bytes.ts";
import type { ParameterVector } from "../parameters.ts";
import type { Algorithm, AlgorithmState } from "./algorithm.ts";
import { decodeVectors, encodeVectors } from "./state-vectors.ts";

export interface FedBuffOptions {
  /** Devices may answer for a model that so many newer ones have replaced. */
  readonly maxStaleness: number;
}

export interface FedBuffState<Inner extends AlgorithmState> extends AlgorithmState {
  readonly inner: Inner;
  /** Models that newer ones have replaced, the newest first; at most `maxStaleness` of them. */
  readonly earlier: readonly ParameterVector[];
}

/**
 * Buffered asynchronous aggregation (Nguyen et al. 2022, arXiv 2106.06639, Algorithm 1), over any algorithm whose devices
 * keep nothing:
 *
 *     line 6   Δ̄ ← Δ̄ + s(τ) Δ_i                    on the devices, as the transform `staleness`, before masking
 *     line 9   w^{t+1} ← w^t + η_g Δ̄ / K           the inner algorithm's step, for which a device's age is nothing
 *
 * What the coordinator adds is memory: a device that began at w^t answers Δ_i = w_i − w^t when w^{t+τ} is the model.
 */
export function fedBuff<Inner extends AlgorithmState>(
  inner: Algorithm<Inner>,
  { maxStaleness }: FedBuffOptions,
): Algorithm<FedBuffState<Inner>> {
  if (!Number.isInteger(maxStaleness) || maxStaleness < 0) {
    throw new RangeError(`the largest staleness is a whole number, not ${maxStaleness}`);
  }
  if (inner.procedure !== undefined)
    throw new RangeError(`the devices of ${inner.name} keep what asynchrony would mix up`);
  return {
    name: `fedbuff-${inner.name}`,
    ...(inner.training === undefined ? {} : { training: inner.training }),
    init: (parameters) => ({ parameters, inner: inner.init(parameters), earlier: [] }),
    broadcast: (state) => inner.broadcast(state.inner),
    earlier: (state) => state.earlier,
    next(state, aggregate) {
      const next = inner.next(state.inner, aggregate);
      const earlier = [state.parameters, ...state.earlier].slice(0, maxStaleness);
      return { parameters: next.parameters, inner: next, earlier };
    },
    encode(state) {
      const count = new Uint8Array(4);
      new DataView(count.buffer).setUint32(0, state.earlier.length);
      return concatBytes(count, encodeVectors(...state.earlier), inner.encode(state.inner));
    },
    decode(parameters, bytes) {
      if (bytes.length < 4) throw new RangeError(`a FedBuff state has at least 4 bytes, not ${bytes.length}`);
      const count = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
      const end = 4 + count * parameters.byteLength;
      if (count > maxStaleness || bytes.length < end) {
        throw new RangeError(`a FedBuff state of ${count} models does not fit its ${bytes.length} bytes`);
      }
      const earlier = decodeVectors(bytes.subarray(4, end), count, parameters.length);
      return { parameters, inner: inner.decode(parameters, bytes.subarray(end)), earlier };
    },
  };
}
