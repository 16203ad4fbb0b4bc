import { toHex } from "../../shared/crypto/bytes.ts";
import type { Ed25519Key } from "../../shared/crypto/provider.ts";
import { decodeConfiguration } from "../../shared/protocol/control-messages.ts";
import { EncodingError } from "../../shared/protocol/encoding.ts";
import { decodeFrame, FRAME_TYPES, type FrameHeader } from "../../shared/protocol/frame.ts";
import { contextHash } from "../../shared/secagg/agreement.ts";
import { advertisedMessage, sharedMessage } from "../../shared/secagg/key-schedule.ts";
import {
  BOX_BYTES,
  decodeRoster,
  decodeShares,
  encodeRoster,
  encodeShares,
} from "../../shared/secagg/messages/exchanges.ts";
import { decodeRosterEntry, encodeRosterEntry, type RosterEntry } from "../../shared/secagg/messages/roster-entry.ts";
import { reframe } from "../adversary/fixture.ts";
import type { Setting } from "./setting.ts";

/**
 * Binds and signs a changed body anew, as a cheating device or coordinator that owns the keys would: so that a change gets
 * past the hash or the signature, to the checks behind it. A frame that cannot be mended is returned as it is.
 */
export function createRepair({ provider, devices, identity }: Setting): (frame: Uint8Array) => Uint8Array {
  const keys = new Map<string, Ed25519Key>();
  for (const id of devices) keys.set(toHex(identity(id).publicKey), identity(id));
  /** By roster index, while everyone is in the roster. */
  const ranked = [...keys.keys()].sort();

  function signed(entry: RosterEntry, context: Uint8Array): RosterEntry {
    const key = keys.get(toHex(entry.idPk));
    if (key === undefined) return entry;
    return { ...entry, signature: key.sign(advertisedMessage(context, entry.channelKey, entry.maskKey)) };
  }

  function mend(frame: Uint8Array, { type, binding, sender }: FrameHeader, body: Uint8Array): Uint8Array {
    switch (type) {
      case FRAME_TYPES.configure: {
        const { agreement } = decodeConfiguration(body);
        return reframe(frame, body, { roundId: agreement.roundId, binding: contextHash(provider, agreement) });
      }
      case FRAME_TYPES.advertise:
        return reframe(frame, encodeRosterEntry(signed(decodeRosterEntry(body), binding)));
      case FRAME_TYPES.roster: {
        const { entries, graphSeed } = decodeRoster(body, 0xffff);
        return reframe(frame, encodeRoster({ entries: entries.map((entry) => signed(entry, binding)), graphSeed }));
      }
      case FRAME_TYPES.shares: {
        const key = keys.get(ranked[sender]);
        const degree = Math.floor(body.length / BOX_BYTES) - 1;
        if (key === undefined || degree < 1) return frame;
        const { boxes, commitment } = decodeShares(body, degree);
        const signature = key.sign(sharedMessage(provider, binding, sender, boxes, commitment));
        return reframe(frame, encodeShares({ boxes, commitment, signature }));
      }
      default:
        return frame;
    }
  }

  return (frame) => {
    try {
      const { header, body } = decodeFrame(frame);
      return mend(frame, header, body);
    } catch (error) {
      if (error instanceof EncodingError) return frame;
      throw error;
    }
  };
}
