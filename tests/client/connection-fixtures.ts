import type { ConnectionOptions } from "../../client/connection.ts";
import { cryptoProvider } from "../../shared/crypto/node-provider.ts";
import {
  type Challenge,
  connectMessage,
  decodeAuthentication,
  encodeChallenge,
  encodeWelcome,
  type Welcome,
} from "../../shared/protocol/connection-messages.ts";
import { decodeFrame, FRAME_TYPES, type FrameTypeName } from "../../shared/protocol/frame.ts";
import { testDevice } from "./device-fixtures.ts";

export const AUDIENCE = "127.0.0.1:8080";
export const HEARTBEAT = 5_000;

export function challenge(changes: Partial<Challenge> = {}): Challenge {
  return { nonce: cryptoProvider.random.bytes(32), population: "test", heartbeat: HEARTBEAT, ...changes };
}

export function connectionOptions(changes: Partial<ConnectionOptions> = {}): ConnectionOptions {
  const key = cryptoProvider.generateEd25519();
  return {
    provider: cryptoProvider,
    identity: { publicKey: key.publicKey, sign: (message) => key.sign(message) },
    audience: AUDIENCE,
    software: "test/1",
    device: (welcome) => testDevice({ name: welcome.device }),
    ...changes,
  };
}

/** The names of frames' types. */
export function typesOf(frames: readonly Uint8Array[]): FrameTypeName[] {
  return frames.map((frame) => {
    const { type } = decodeFrame(frame).header;
    const found = Object.entries(FRAME_TYPES).find(([, value]) => value === type);
    return found![0] as FrameTypeName;
  });
}

/** Whether an AUTHENTICATE proves its key to this challenge and this audience. */
export function proves(frame: Uint8Array, { nonce, population }: Challenge, audience = AUDIENCE): boolean {
  const { idPk, certificate, signature } = decodeAuthentication(decodeFrame(frame).body);
  return cryptoProvider.verifyEd25519(idPk, connectMessage(nonce, { population, audience, certificate }), signature);
}

/** The first frames of a coordinator that lets a device in. */
export function greeting(of: Challenge, welcome: Welcome = { device: "d-0000" }): readonly [Uint8Array, Uint8Array] {
  return [encodeChallenge(of), encodeWelcome(of.nonce, welcome)];
}
