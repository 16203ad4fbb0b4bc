import { createReader, createWriter, EncodingError, type Reader } from "../../protocol/encoding.ts";
import { CERTIFICATE_BYTES } from "../certificates.ts";

/** One device in the roster: what it advertised in exchange 0. */
export interface RosterEntry {
  /** Enrolled Ed25519 key, 32 bytes. */
  readonly idPk: Uint8Array;
  /** The authority's certificate, encoded; empty at `curious-server`. */
  readonly certificate: Uint8Array;
  /** c_u: X25519 key for the channels, 32 bytes. */
  readonly channelKey: Uint8Array;
  /** s_u: X25519 key for the masks, 32 bytes. */
  readonly maskKey: Uint8Array;
  /** Sig("R0", ctx, cPk, sPk), 64 bytes. */
  readonly signature: Uint8Array;
}

export function encodeRosterEntry(entry: RosterEntry): Uint8Array {
  return createWriter()
    .fixed(entry.idPk, 32)
    .bytes(entry.certificate)
    .fixed(entry.channelKey, 32)
    .fixed(entry.maskKey, 32)
    .fixed(entry.signature, 64)
    .finish();
}

/** @throws {EncodingError} */
export function decodeRosterEntry(bytes: Uint8Array): RosterEntry {
  const reader = createReader(bytes);
  const entry = readRosterEntry(reader);
  reader.end();
  return entry;
}

function readRosterEntry(reader: Reader): RosterEntry {
  const idPk = reader.fixed(32);
  const certificate = reader.bytes();
  if (certificate.length !== 0 && certificate.length !== CERTIFICATE_BYTES) {
    throw new EncodingError(`a certificate has ${CERTIFICATE_BYTES} bytes, not ${certificate.length}`);
  }
  return {
    idPk,
    certificate,
    channelKey: reader.fixed(32),
    maskKey: reader.fixed(32),
    signature: reader.fixed(64),
  };
}
