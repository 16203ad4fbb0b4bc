/**
 * Just enough of an assembler for the ring kernels: WebAssembly 1.0 with the 128-bit SIMD instructions, one imported
 * memory, functions over i32 addresses that return nothing. Instructions nest as in the folded form of the text format,
 * `i32.add(local.get(0), i32.const(4))`, so that kernel source is readable and there is no binary blob to trust; the
 * engine's own validator checks the types.
 *
 * Encoding: WebAssembly Core Specification 2.0, section 5 (binary format).
 */
export function assembleModule(functions: readonly WasmFunction[]): Uint8Array<ArrayBuffer> {
  const types = functions.map((f) => [0x60, ...vector(repeat(f.parameters, [VALUE_TYPE.i32])), ...vector([])]);
  const memoryImport = [...name("ring"), ...name("memory"), 0x02, 0x00, ...unsigned(1)];
  const exports = functions.map((f, index) => [...name(f.name), 0x00, ...unsigned(index)]);
  const bodies = functions.map((f) => {
    const locals = f.locals.map((type) => [1, VALUE_TYPE[type]]);
    const code = [...vector(locals), ...f.body.flat(), END];
    return [...unsigned(code.length), ...code];
  });
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(1, vector(types)),
    ...section(2, vector([memoryImport])),
    ...section(3, vector(functions.map((_, index) => unsigned(index)))),
    ...section(7, vector(exports)),
    ...section(10, vector(bodies)),
  ]);
}

export interface WasmFunction {
  readonly name: string;
  /** How many i32 parameters; they are locals 0 … parameters − 1. */
  readonly parameters: number;
  /** Types of the further locals, numbered after the parameters. */
  readonly locals: readonly (keyof typeof VALUE_TYPE)[];
  readonly body: readonly Code[];
}

/** An encoded instruction together with those that push its operands. */
export type Code = readonly number[];

const VALUE_TYPE = { i32: 0x7f, i64: 0x7e, v128: 0x7b } as const;
const END = 0x0b;
const NO_RESULT = 0x40;

export const local = {
  get: (index: number): Code => [0x20, ...unsigned(index)],
  set: (index: number, value: Code): Code => [...value, 0x21, ...unsigned(index)],
};

export const i32 = {
  const: (value: number): Code => [0x41, ...signed(BigInt(value))],
  add: binary([0x6a]),
  ltUnsigned: binary([0x49]),
};

export const i64 = {
  const: (value: bigint): Code => [0x42, ...signed(value)],
  and: binary([0x83]),
  or: binary([0x84]),
  shl: binary([0x86]),
  shrUnsigned: binary([0x88]),
  load16Unsigned: load([0x33]),
  load32Unsigned: load([0x35]),
  store: store([0x37]),
};

export const v128 = {
  load: load(simd(0)),
  store: store(simd(11)),
  const: (bytes: Uint8Array): Code => [...simd(12), ...bytes],
  /** The same 32 bits in each of the four lanes, or one value per lane. */
  constI32x4: (lanes: readonly number[]): Code =>
    v128.const(Uint8Array.from(lanes.flatMap((lane) => [0, 8, 16, 24].map((shift) => (lane >>> shift) & 0xff)))),
  and: binary(simd(78)),
  or: binary(simd(80)),
};

export const i8x16 = {
  /** Byte i of the result is byte `indices[i]` of the value; an index of 16 or more gives zero. */
  swizzle: (value: Code, indices: readonly number[]): Code => [
    ...value,
    ...v128.const(Uint8Array.from(indices)),
    ...simd(14),
  ],
};

export const i16x8 = { narrowI32x4Unsigned: binary(simd(134)), add: binary(simd(142)), sub: binary(simd(145)) };

export const i32x4 = {
  shrUnsigned: binary(simd(173)),
  add: binary(simd(174)),
  sub: binary(simd(177)),
  mul: binary(simd(181)),
};

/** Runs the body, then again for as long as the condition holds after it. */
export function repeatWhile(condition: Code, body: readonly Code[]): Code {
  return [0x03, NO_RESULT, ...body.flat(), ...condition, 0x0d, 0x00, END];
}

/** Runs the body when the condition holds. */
export function when(condition: Code, body: readonly Code[]): Code {
  return [...condition, 0x04, NO_RESULT, ...body.flat(), END];
}

function binary(opcode: Code) {
  return (left: Code, right: Code): Code => [...left, ...right, ...opcode];
}

// Alignment hint 0 (one byte): packed coordinates start at any byte.
function load(opcode: Code) {
  return (address: Code, offset = 0): Code => [...address, ...opcode, 0, ...unsigned(offset)];
}

function store(opcode: Code) {
  return (address: Code, value: Code, offset = 0): Code => [...address, ...value, ...opcode, 0, ...unsigned(offset)];
}

function simd(opcode: number): Code {
  return [0xfd, ...unsigned(opcode)];
}

function section(id: number, content: Code): Code {
  return [id, ...unsigned(content.length), ...content];
}

function vector(items: readonly Code[]): Code {
  return [...unsigned(items.length), ...items.flat()];
}

function name(text: string): Code {
  return vector([...new TextEncoder().encode(text)].map((byte) => [byte]));
}

function repeat(count: number, item: Code): Code[] {
  return Array.from({ length: count }, () => item);
}

/** LEB128, unsigned (section 5.2.2). */
function unsigned(value: number): Code {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)];
}

/** LEB128, signed (section 5.2.2). */
function signed(value: bigint): Code {
  const low = Number(value & 0x7fn);
  const rest = value >> 7n;
  const signBit = (low & 0x40) !== 0;
  return (rest === 0n && !signBit) || (rest === -1n && signBit) ? [low] : [low | 0x80, ...signed(rest)];
}
