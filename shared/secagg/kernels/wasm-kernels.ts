import {
  assembleModule,
  type Code,
  i8x16,
  i16x8,
  i32,
  i32x4,
  i64,
  local,
  repeatWhile,
  v128,
  type WasmFunction,
  when,
} from "./wasm-assembler.ts";

/**
 * The kernels of `RingKernels` for a ring of `bits` bits (8 … 32), as the bytes of a WebAssembly module of about 1 KB
 * that imports its memory as `ring.memory`. Each width has its own module, because byte positions and shifts inside a
 * group of eight coordinates depend on nothing else and so become constants.
 */
export function assembleRingKernels(bits: number): Uint8Array<ArrayBuffer> {
  const laneBytes = bits <= 16 ? 2 : 4;
  const lanes = laneBytes === 2 ? i16x8 : i32x4;
  return assembleModule([
    combine("add", lanes.add),
    combine("subtract", lanes.sub),
    unpackAdd(bits, laneBytes),
    pack(bits, laneBytes),
  ]);
}

const TARGET = 0;
const SOURCE = 1;
const LENGTH = 2;
const DONE = 3;

/** (target, source, byteLength): two vectors of 16 bytes a step. */
function combine(name: string, operation: (left: Code, right: Code) => Code): WasmFunction {
  const step = (offset: number) =>
    v128.store(
      local.get(TARGET),
      operation(v128.load(local.get(TARGET), offset), v128.load(local.get(SOURCE), offset)),
      offset,
    );
  return loop(name, { length: 32, target: 32, source: 32 }, [], [step(0), step(16)]);
}

/** (target, source, count): eight coordinates a step. */
function unpackAdd(bits: number, laneBytes: 2 | 4): WasmFunction {
  const [low, high] = [unpackFour(bits, 0), unpackFour(bits, 1)];
  const addTo = (offset: number, add: (left: Code, right: Code) => Code, value: Code) =>
    v128.store(local.get(TARGET), add(v128.load(local.get(TARGET), offset), value), offset);
  return loop(
    "unpackAdd",
    { length: 8, target: 8 * laneBytes, source: bits },
    [],
    laneBytes === 2
      ? // Both halves are below 2^16, so the narrowing never saturates.
        [addTo(0, i16x8.add, i16x8.narrowI32x4Unsigned(low, high))]
      : [addTo(0, i32x4.add, low), addTo(16, i32x4.add, high)],
  );
}

/**
 * Four coordinates of the group at `SOURCE` as i32 lanes: those of its first (`half` 0) or second half.
 *
 * A swizzle brings the bytes that hold a coordinate into its lane, where it starts at bit s = 0 … 7. SIMD has no shift
 * by a different amount per lane, so a multiplication by 2^(32 − b − s) moves it to the lane's top and one common shift
 * brings it down. That needs s + b ≤ 32 in every lane; other widths are taken in two parts, 16 low bits and the rest.
 *
 * The 16 bytes loaded always suffice: a half starts at bit 0 or, for odd b, at bit 4, and 4 + 4 · 31 = 128.
 */
function unpackFour(bits: number, half: 0 | 1): Code {
  const firstByte = (half * 4 * bits) >> 3;
  const firstBit = (half * 4 * bits) & 7;
  const bitOffsets = [0, 1, 2, 3].map((lane) => firstBit + lane * bits);
  const bytes = v128.load(local.get(SOURCE), firstByte);
  const gather = (skipBytes: number) =>
    i8x16.swizzle(
      bytes,
      bitOffsets.flatMap((offset) => [0, 1, 2, 3].map((byte) => (offset >> 3) + skipBytes + byte)),
    );
  const shiftedLeft = (value: Code, top: number) =>
    i32x4.mul(value, v128.constI32x4(bitOffsets.map((offset) => 2 ** (top - (offset & 7)))));
  if (bits + Math.max(...bitOffsets.map((offset) => offset & 7)) <= 32) {
    return i32x4.shrUnsigned(shiftedLeft(gather(0), 32 - bits), i32.const(32 - bits));
  }
  const lowPart = i32x4.shrUnsigned(shiftedLeft(gather(0), 16), i32.const(16));
  const highMask = 2 ** bits - 2 ** 16;
  const highPart = v128.and(shiftedLeft(gather(2), 16), v128.constI32x4([highMask, highMask, highMask, highMask]));
  return v128.or(lowPart, highPart);
}

/**
 * (target, source, count): eight coordinates a step, put together in words of 64 bits. The last word may spill zeros
 * behind the group, which the next step overwrites.
 */
function pack(bits: number, laneBytes: 2 | 4): WasmFunction {
  const coordinate = (lane: number) => DONE + 1 + lane;
  const loadLane = laneBytes === 2 ? i64.load16Unsigned : i64.load32Unsigned;
  const mask = (1n << BigInt(bits)) - 1n;
  const lanes = [0, 1, 2, 3, 4, 5, 6, 7];
  const word = (index: number) =>
    lanes
      .filter((lane) => lane * bits < 64 * (index + 1) && (lane + 1) * bits > 64 * index)
      .map((lane) => {
        const shift = lane * bits - 64 * index;
        const value = local.get(coordinate(lane));
        return shift >= 0
          ? i64.shl(value, i64.const(BigInt(shift)))
          : i64.shrUnsigned(value, i64.const(BigInt(-shift)));
      })
      .reduce((left, right) => i64.or(left, right));
  return loop(
    "pack",
    { length: 8, target: bits, source: 8 * laneBytes },
    lanes.map(() => "i64"),
    [
      ...lanes.map((lane) =>
        local.set(coordinate(lane), i64.and(loadLane(local.get(SOURCE), lane * laneBytes), i64.const(mask))),
      ),
      ...Array.from({ length: Math.ceil(bits / 8) }, (_, index) =>
        i64.store(local.get(TARGET), word(index), 8 * index),
      ),
    ],
  );
}

/** A function (target, source, length) whose body runs ⌈length / step⌉ times, with the addresses moved on after each. */
function loop(
  name: string,
  step: { readonly length: number; readonly target: number; readonly source: number },
  locals: readonly "i64"[],
  body: readonly Code[],
): WasmFunction {
  const advance = (index: number, by: number) => local.set(index, i32.add(local.get(index), i32.const(by)));
  const unfinished = i32.ltUnsigned(local.get(DONE), local.get(LENGTH));
  return {
    name,
    parameters: 3,
    locals: ["i32", ...locals],
    body: [
      when(unfinished, [
        repeatWhile(unfinished, [
          ...body,
          advance(TARGET, step.target),
          advance(SOURCE, step.source),
          advance(DONE, step.length),
        ]),
      ]),
    ],
  };
}
