import { FRAME_TYPES, type FrameTypeName } from "../../shared/protocol/frame.ts";

/**
 * Where the fields of each body lie, written down a second time and apart from the decoders, so that a mutation can
 * change one field and keep, or break, what surrounds it.
 */
export type Field =
  | { readonly kind: "u8" | "u16" | "u32" | "f64" | "text" }
  | { readonly kind: "fixed"; readonly length: number }
  /** Four bytes of length, then bytes; with `of`, they are fields themselves. */
  | { readonly kind: "bytes"; readonly of?: Layout }
  | { readonly kind: "list"; readonly of: Layout }
  /** A truth value, then the fields if it is 1. */
  | { readonly kind: "option"; readonly of: Layout }
  /** A byte that says which fields follow. */
  | { readonly kind: "choice"; readonly of: readonly Layout[] }
  /** Items without a count, to the end. */
  | { readonly kind: "repeat"; readonly of: Layout }
  /** Everything up to so many bytes before the end. */
  | { readonly kind: "rest"; readonly before: number }
  /** What is left over when the rest is cut into pieces of this size. */
  | { readonly kind: "bitmap"; readonly pieces: number };
export type Layout = readonly Field[];

/** A field of one body. */
export interface Span {
  readonly kind: Field["kind"];
  readonly at: number;
  /** With its own prefix. */
  readonly length: number;
  /** Where the lengths stand of the byte strings that it is in. */
  readonly prefixes: readonly number[];
  /** Of a list or a repetition. */
  readonly items: readonly { readonly at: number; readonly length: number }[];
}

const [u8, u16, u32, f64, text] = (["u8", "u16", "u32", "f64", "text"] as const).map((kind) => ({ kind }));
const fixed = (length: number): Field => ({ kind: "fixed", length });
const rest = (before = 0): Field => ({ kind: "rest", before });
const bitmap = (pieces = Number.POSITIVE_INFINITY): Field => ({ kind: "bitmap", pieces });
const bytes: Field = { kind: "bytes" };

const BOX = 80;
const SLOT: Layout = [text, f64, f64, text];
const PARAMETERS: Layout = [
  ...[u32, u8, u32, f64],
  { kind: "list", of: SLOT },
  { kind: "list", of: [text] },
  ...[f64, f64, text, u16, u16, u32, u32, u32, u32, u32, f64],
];
const AGREEMENT: Layout = [
  ...[u8, text, text, text, fixed(16), fixed(16), fixed(32)],
  { kind: "bytes", of: PARAMETERS },
];
const ENTRY: Layout = [fixed(32), bytes, fixed(32), fixed(32), fixed(64)];

const LAYOUTS: Readonly<Record<FrameTypeName, Layout>> = {
  configure: [
    { kind: "bytes", of: AGREEMENT },
    ...[text, u32, u32, u32, f64],
    { kind: "choice", of: [[], [f64, u8], [f64, f64, f64]] },
    ...[f64, f64, f64],
    { kind: "choice", of: [[], [{ kind: "list", of: [fixed(16)] }]] },
    ...[u32, u32, u32],
    { kind: "option", of: [f64] },
  ],
  model: [rest()],
  decline: [u8],
  released: [text],
  plainUpdate: [rest()],
  accept: [],
  trained: [],
  begin: [],
  advertise: ENTRY,
  roster: [fixed(32), { kind: "list", of: [{ kind: "bytes", of: ENTRY }] }],
  shares: [rest(96), fixed(32), fixed(64)],
  sharesForward: [bitmap(BOX), rest()],
  masked: [rest()],
  survivors: [bitmap()],
  ack: [fixed(64)],
  acks: [{ kind: "list", of: [u16, fixed(64)] }],
  unmask: [{ kind: "repeat", of: [u8, fixed(32)] }],
  abort: [u8],
  done: [fixed(32), u16],
  challenge: [text, u32],
  authenticate: [fixed(32), bytes, text, text, fixed(64)],
  welcome: [text, { kind: "option", of: [f64, text, text, u32, u32, f64] }],
  refused: [u8, text, { kind: "option", of: [u32, u32] }],
  checkIn: [],
  pace: [u32, u32],
};

const BY_TYPE: ReadonlyMap<number, Layout> = new Map(
  (Object.keys(FRAME_TYPES) as FrameTypeName[]).map((name) => [FRAME_TYPES[name], LAYOUTS[name]]),
);

/** The fields of a body, those within others too; empty when the body is not laid out as its type says. */
export function spansOf(type: number, body: Uint8Array): readonly Span[] {
  const layout = BY_TYPE.get(type);
  if (layout === undefined) return [];
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const spans: Span[] = [];

  function walk(fields: Layout, start: number, prefixes: readonly number[]): number {
    let at = start;
    for (const field of fields) at = step(field, at, prefixes);
    return at;
  }

  function add(kind: Field["kind"], at: number, end: number, prefixes: readonly number[], items: Span["items"] = []) {
    if (end > body.length) throw new RangeError("the body ends within a field");
    spans.push({ kind, at, length: end - at, prefixes, items });
    return end;
  }

  function step(field: Field, at: number, prefixes: readonly number[]): number {
    switch (field.kind) {
      case "u8":
        return add("u8", at, at + 1, prefixes);
      case "u16":
        return add("u16", at, at + 2, prefixes);
      case "u32":
        return add("u32", at, at + 4, prefixes);
      case "f64":
        return add("f64", at, at + 8, prefixes);
      case "fixed":
        return add("fixed", at, at + field.length, prefixes);
      case "text":
        return add("text", at, at + 4 + view.getUint32(at), prefixes);
      case "bytes": {
        const end = add("bytes", at, at + 4 + view.getUint32(at), prefixes);
        if (field.of !== undefined) walk(field.of, at + 4, [...prefixes, at]);
        return end;
      }
      case "list": {
        const items: { at: number; length: number }[] = [];
        let end = at + 4;
        for (let left = view.getUint32(at); left > 0; left--) {
          const next = walk(field.of, end, prefixes);
          items.push({ at: end, length: next - end });
          end = next;
        }
        return add("list", at, end, prefixes, items);
      }
      case "option": {
        const end = view.getUint8(at) === 1 ? walk(field.of, at + 1, prefixes) : at + 1;
        return add("option", at, end, prefixes);
      }
      case "choice": {
        const chosen = field.of[view.getUint8(at)];
        if (chosen === undefined) throw new RangeError("a choice that there is not");
        return add("choice", at, walk(chosen, at + 1, prefixes), prefixes);
      }
      case "repeat": {
        const items: { at: number; length: number }[] = [];
        let end = at;
        while (end < body.length) {
          const next = walk(field.of, end, prefixes);
          items.push({ at: end, length: next - end });
          end = next;
        }
        return add("repeat", at, end, prefixes, items);
      }
      case "rest":
        return add("rest", at, Math.max(at, body.length - field.before), prefixes);
      case "bitmap":
        return add("bitmap", at, at + ((body.length - at) % field.pieces), prefixes);
    }
  }

  try {
    return walk(layout, 0, []) === body.length ? spans : [];
  } catch (error) {
    if (error instanceof RangeError) return [];
    throw error;
  }
}
