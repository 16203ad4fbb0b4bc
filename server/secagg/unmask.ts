import { equalBytes } from "../../shared/crypto/bytes.ts";
import { FRAME_TYPES } from "../../shared/protocol/frame.ts";
import type { DeviceId } from "../../shared/protocol/ids.ts";
import { decodeShares } from "../../shared/secagg/error-correction.ts";
import { pairMaskKey, resultHash, seedCommitment, selfMaskKey } from "../../shared/secagg/key-schedule.ts";
import { addMask, pairMaskSign } from "../../shared/secagg/masks.ts";
import { decodeUnmask, encodeDone, type ShareKind } from "../../shared/secagg/messages/exchanges.ts";
import { createWeightCache, type Share } from "../../shared/secagg/secret-sharing.ts";
import type { ClosedRoster } from "./confirm.ts";
import { secretOwners } from "./minimum.ts";
import {
  DeviceFault,
  outgoing,
  rosterIndex,
  type SecAggAbandoned,
  type ServerStage,
  type StageContext,
  type Transition,
} from "./stage.ts";

/** One secret to rebuild: a dropped device's mask key, or a survivor's seed. */
interface Secret {
  readonly owner: number;
  readonly kind: Exclude<ShareKind, "none">;
}

type Rebuilt = { readonly secret: Uint8Array } | SecAggAbandoned;

/**
 * Exchange 4: collects one share of each secret from each holder, rebuilds the secrets, and removes the masks:
 * Σ x = Σ y − Σ_{alive} PRG(b_u) − Σ_{alive u, dropped v} ±PRG(mask_uv) (Bonawitz et al. 2017, figure 4, round 4).
 *
 * Nothing is subtracted before every secret is rebuilt and checked, so an abandoned round opens nobody's update.
 */
export function collectUnmasking(context: StageContext, roster: ClosedRoster, asked: readonly number[]): ServerStage {
  const { provider, agreement } = context.options;
  const { graph, devices, entries, sid, commitments, survivors, sum } = roster;
  const binding = { sid, bits: agreement.bits };
  const waitingFor = new Set(asked.map((index) => devices[index]));
  const weights = createWeightCache();
  /** By owner, what its neighbours gave. */
  const given = new Map<number, Share[]>();

  function neighboursInU2(index: number): number[] {
    return graph.neighbours(index).filter((neighbour) => commitments.has(neighbour));
  }

  function secrets(): Secret[] {
    return secretOwners(roster).map((owner) => ({ owner, kind: survivors.has(owner) ? "seed" : "maskKey" }));
  }

  function isGenuine({ owner, kind }: Secret, secret: Uint8Array): boolean {
    if (kind === "maskKey") return equalBytes(provider.importX25519(secret).publicKey, entries[owner].maskKey);
    const commitment = commitments.get(owner);
    return commitment !== undefined && equalBytes(seedCommitment(provider, sid, owner, secret), commitment);
  }

  function rebuild(wanted: Secret): Rebuilt {
    const shares = given.get(wanted.owner) ?? [];
    const need = graph.threshold;
    const dealer = devices[wanted.owner];
    if (shares.length < need) {
      const detail = `${shares.length} shares of a secret of ${dealer} came back, ${need} are needed`;
      return { reason: "too-few-shares", have: shares.length, need, detail };
    }
    const decoded = decodeShares(shares, need, weights);
    const holders = (slots: readonly number[]) =>
      slots.map((slot) => devices[graph.neighbours(wanted.owner)[slot - 1]]);
    if (!decoded.ok || !isGenuine(wanted, decoded.secret)) {
      const suspects = holders(shares.map(({ slot }) => slot)).join(", ");
      const detail = `shares of a secret of ${dealer} are wrong beyond correction: it, or some of ${suspects}`;
      return { reason: "bad-shares", have: shares.length, need, detail };
    }
    for (const holder of holders(decoded.wrong)) context.suspect({ dealer, holder });
    return { secret: decoded.secret };
  }

  function removeMasks(secret: Secret, value: Uint8Array): void {
    if (secret.kind === "seed") {
      addMask(sum, provider, selfMaskKey(provider, binding, value, secret.owner), -1);
      return;
    }
    const key = provider.importX25519(value);
    for (const survivor of graph.neighbours(secret.owner)) {
      if (!survivors.has(survivor)) continue;
      const shared = key.agree(entries[survivor].maskKey);
      const added = pairMaskSign(survivor, secret.owner);
      addMask(sum, provider, pairMaskKey(provider, binding, shared, survivor, secret.owner), added === 1 ? -1 : 1);
    }
    key.wipe();
  }

  function close(): Transition {
    const rebuilt: { readonly secret: Secret; readonly value: Uint8Array }[] = [];
    for (const secret of secrets()) {
      const result = rebuild(secret);
      if (!("secret" in result)) {
        sum.dispose();
        return { kind: "abandoned", ...result };
      }
      rebuilt.push({ secret, value: result.secret });
    }
    for (const { secret, value } of rebuilt) {
      removeMasks(secret, value);
      value.fill(0);
    }
    const hash = resultHash(provider, sid, roster.bitmap, sum.pack());
    const opened = sum.toSignedSum();
    sum.dispose();
    const body = encodeDone({ resultHash: hash, survivors: survivors.size });
    const present = asked.map((index) => devices[index]).filter((device) => context.isPresent(device));
    return {
      kind: "done",
      result: { sum: opened, survivors: [...survivors].map((index) => devices[index]), resultHash: hash },
      send: present.map((device) => outgoing(context, device, FRAME_TYPES.done, sid, body)),
    };
  }

  return {
    name: "unmask",
    roster,
    waitingFor,
    receive(device: DeviceId, { type }, body) {
      if (type !== FRAME_TYPES.unmask) throw new DeviceFault("malformed", `message type ${type} during unmask`);
      if (!waitingFor.has(device)) throw new DeviceFault("duplicate", "shares to unmask arrived already");
      const holder = rosterIndex(roster, device);
      const owners = neighboursInU2(holder);
      const shares = decodeUnmask(body, owners.length);
      for (const [i, { kind }] of shares.entries()) {
        const right = survivors.has(owners[i]) ? "seed" : "maskKey";
        if (kind !== "none" && kind !== right) throw new DeviceFault("malformed", "a share of the other kind");
      }
      waitingFor.delete(device);
      for (const [i, { kind, value }] of shares.entries()) {
        if (kind === "none") {
          context.suspect({ dealer: devices[owners[i]], holder: device });
          continue;
        }
        const known = given.get(owners[i]) ?? [];
        known.push({ slot: graph.slot(owners[i], holder), value });
        given.set(owners[i], known);
      }
    },
    leave(device) {
      waitingFor.delete(device);
    },
    close,
  };
}
