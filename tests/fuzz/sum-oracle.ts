import { concatBytes } from "../../shared/crypto/bytes.ts";
import type { DeviceId } from "../../shared/protocol/ids.ts";
import type { Setting } from "./setting.ts";
import { must, mustNotThrow } from "./target.ts";
import type { WatchedRound } from "./watched-round.ts";

/** What the devices put into a round, as far as it is known. */
export interface Inputs {
  /** The ring vector, before it was masked. */
  input(device: DeviceId): Int32Array | undefined;
  /** The bodies of its upload, as it sent them. */
  upload(device: DeviceId): readonly Uint8Array[] | undefined;
  /** A device masked for another list of devices than the coordinator's: then its masks do not cancel. */
  readonly masksDiffer: boolean;
}

/**
 * Holds a round that is over against what went in: the sum is that of the survivors' inputs, bit for bit. Where an upload
 * was changed on its way and still was one, it is off by exactly that change: masks are added, so the ring carries the
 * difference through. Without the masks' cancelling only the range is left to check.
 */
export function checkEnding(setting: Setting, { opened, isOver, uploads }: WatchedRound, inputs: Inputs): void {
  const { round, configuration } = opened;
  const { agreement } = configuration;
  must(isOver, "the round is not over");
  if (round.result === undefined) return;
  const { sum, survivors } = round.result;
  must(new Set(survivors).size === survivors.length, "a survivor is listed twice");
  must(
    survivors.every((device) => setting.devices.includes(device)),
    "a survivor was never invited",
  );
  must(survivors.length >= agreement.floors.minCohort, `a sum of ${survivors.length} devices was opened`);
  must(sum.length === agreement.dimension, `a sum of ${sum.length} coordinates`);
  const decoded = mustNotThrow("decode", () => opened.decode(sum, survivors.length));
  for (const value of decoded.values) must(Number.isFinite(value), "a coordinate of the mean is not finite");
  const bound = 2 ** (agreement.bits - 1);
  for (const value of sum) must(value >= -bound && value < bound, "a coordinate is outside of the ring");
  const expected = new Int32Array(agreement.dimension);
  for (const device of survivors) {
    const taken = uploads.get(device);
    must(taken !== undefined, `${device} survived without an upload`);
    if (agreement.mode === "plaintext") {
      add(expected, unpacked(taken, agreement), 1);
      continue;
    }
    const input = inputs.input(device);
    const sent = inputs.upload(device);
    if (inputs.masksDiffer || input === undefined || sent === undefined) return;
    add(expected, input, 1);
    add(expected, unpacked(taken, agreement), 1);
    add(expected, unpacked(sent, agreement), -1);
  }
  const shift = 32 - agreement.bits;
  for (let i = 0; i < expected.length; i++) {
    const right = (expected[i] << shift) >> shift;
    if (sum[i] !== right) must(false, `coordinate ${i} of the sum is ${sum[i]}, and the inputs' is ${right}`);
  }
}

function add(sum: Int32Array, values: Int32Array, sign: 1 | -1): void {
  for (let i = 0; i < sum.length; i++) sum[i] = (sum[i] + sign * values[i]) | 0;
}

/** Unpacks byte by byte, as the protocol says it, apart from the kernels: `bits` each, the lowest first. */
function unpacked(
  chunks: readonly Uint8Array[],
  { dimension, bits }: { readonly dimension: number; readonly bits: number },
): Int32Array {
  const packed = concatBytes(...chunks);
  const values = new Int32Array(dimension);
  let at = 0;
  let read = 0;
  let available = 0;
  for (let i = 0; i < dimension; i++) {
    for (; available < bits; available += 8) read += packed[at++] * 2 ** available;
    values[i] = read % 2 ** bits;
    read = Math.floor(read / 2 ** bits);
    available -= bits;
  }
  return values;
}
