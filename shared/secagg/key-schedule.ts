import type { CryptoProvider } from "../crypto/provider.ts";
import { createWriter } from "../protocol/encoding.ts";
import type { RosterEntry } from "./messages/roster-entry.ts";
import { encodeRosterEntry } from "./messages/roster-entry.ts";
import { laneBytesFor } from "./ring-accumulator.ts";

/**
 * Every hash, key and signed message of a session (`secure-aggregation.md` section 2, "Key schedule"), each over the
 * canonical encoding of its fields, each opened by a label of its own. `docs/protocol.md` lists them byte by byte.
 *
 * ```
 *  agreement ──► ctx ─┬─ roster, graph ──► sid ─┬─ DH(c_u, c_v) ──► chan_{u→v}   one direction, one box
 *                     └─ "R0" signature         ├─ DH(s_u, s_v) ──► mask_uv      one vector
 *                                               ├─ b_u ──────────► self_u
 *                                               └─ "R1", "R3" signatures, commitment, box context
 * ```
 */
export interface SessionBinding {
  /** sid, 32 bytes. */
  readonly sid: Uint8Array;
  /** b: the width of the masked vector's ring; with it the lane width, in every mask's label. */
  readonly bits: number;
}

type Hash = Pick<CryptoProvider, "sha256">;
type Kdf = Pick<CryptoProvider, "hkdf">;

/** What a device signs in exchange 0: Sig("R0", ctx, cPk, sPk). */
export function advertisedMessage(context: Uint8Array, channelKey: Uint8Array, maskKey: Uint8Array): Uint8Array {
  return createWriter().text("R0").fixed(context, 32).fixed(channelKey, 32).fixed(maskKey, 32).finish();
}

/** SHA-256 of the roster's entries by index. */
export function rosterHash(provider: Hash, entries: readonly RosterEntry[]): Uint8Array {
  const writer = createWriter()
    .text("roster")
    .list(entries, (list, entry) => list.bytes(encodeRosterEntry(entry)));
  return provider.sha256(writer.finish());
}

/**
 * sid = SHA-256("sid", ctx, rosterHash, graphSeed, graphKind, k, t). The seed shapes the graph under the finder, so one
 * sid cannot carry two graphs.
 */
export function sessionId(
  provider: Hash,
  context: Uint8Array,
  roster: Uint8Array,
  graphSeed: Uint8Array,
  graph: { readonly kind: string; readonly degree: number; readonly threshold: number },
): Uint8Array {
  const writer = createWriter()
    .text("sid")
    .fixed(context, 32)
    .fixed(roster, 32)
    .fixed(graphSeed, 32)
    .text(graph.kind)
    .u16(graph.degree)
    .u16(graph.threshold);
  return provider.sha256(writer.finish());
}

/** SHA-256("ring", graphSeed, idPk): where a device stands on the ring under the finder. */
export function ringDigest(provider: Hash, graphSeed: Uint8Array, idPk: Uint8Array): Uint8Array {
  return provider.sha256(createWriter().text("ring").fixed(graphSeed, 32).fixed(idPk, 32).finish());
}

/** chan_{u→v}: the key of the one box that u seals for v. */
export function channelKey(
  provider: Kdf,
  { sid }: SessionBinding,
  sharedSecret: Uint8Array,
  from: number,
  to: number,
): Uint8Array {
  return provider.hkdf(sharedSecret, sid, createWriter().text("chan").u16(from).u16(to).finish(), 32);
}

/** mask_uv, the same for both of a pair. */
export function pairMaskKey(
  provider: Kdf,
  binding: SessionBinding,
  sharedSecret: Uint8Array,
  a: number,
  b: number,
): Uint8Array {
  const info = createWriter().text("mask").u16(Math.min(a, b)).u16(Math.max(a, b));
  return provider.hkdf(sharedSecret, binding.sid, vectorLabel(info, binding), 32);
}

/** self_u, from the seed b_u. */
export function selfMaskKey(provider: Kdf, binding: SessionBinding, seed: Uint8Array, owner: number): Uint8Array {
  return provider.hkdf(seed, binding.sid, vectorLabel(createWriter().text("self").u16(owner), binding), 32);
}

/** SHA-256("commit", sid, u, b_u): holds the owner to the seed that it shared. */
export function seedCommitment(provider: Hash, sid: Uint8Array, owner: number, seed: Uint8Array): Uint8Array {
  return provider.sha256(createWriter().text("commit").fixed(sid, 32).u16(owner).fixed(seed, 32).finish());
}

/** What a box is bound to besides its key: (sid, u, v, slot). */
export function boxContext(sid: Uint8Array, from: number, to: number, slot: number): Uint8Array {
  return createWriter().text("box").fixed(sid, 32).u16(from).u16(to).u8(slot).finish();
}

/** What a device signs in exchange 1: Sig("R1", sid, u, SHA-256(boxes), commitment). */
export function sharedMessage(
  provider: Hash,
  sid: Uint8Array,
  owner: number,
  boxes: Uint8Array,
  commitment: Uint8Array,
): Uint8Array {
  return createWriter()
    .text("R1")
    .fixed(sid, 32)
    .u16(owner)
    .fixed(provider.sha256(boxes), 32)
    .fixed(commitment, 32)
    .finish();
}

/** What a device signs in exchange 3: Sig("R3", sid, U2, U3), its whole view of the session. */
export function confirmedMessage(sid: Uint8Array, sharing: Uint8Array, survivors: Uint8Array): Uint8Array {
  return createWriter().text("R3").fixed(sid, 32).bytes(sharing).bytes(survivors).finish();
}

/** SHA-256("result", sid, U3, packed sum). */
export function resultHash(provider: Hash, sid: Uint8Array, survivors: Uint8Array, packedSum: Uint8Array): Uint8Array {
  const head = createWriter().text("result").fixed(sid, 32).bytes(survivors).u32(packedSum.length).finish();
  return provider.sha256(head, packedSum);
}

/** The session has one vector; its name and lane width end the label of each of its masks. */
function vectorLabel(info: ReturnType<typeof createWriter>, { bits }: SessionBinding): Uint8Array {
  return info.text("update").u8(laneBytesFor(bits)).finish();
}
