import {
  encodeAuthentication,
  encodeChallenge,
  encodeCheckIn,
  encodePace,
  encodeRefused,
  encodeWelcome,
} from "../../shared/protocol/connection-messages.ts";

const NONCE = new Uint8Array(32).fill(0x5a);
const SIMULATION = { seed: 1, dataset: "mnist", partition: "dirichlet:0.5", devices: 10, index: 3, dropout: 0.1 };

/** A valid frame, or two, of each type that belongs to a connection rather than to a round. */
export const CONNECTION_FRAMES: readonly Uint8Array[] = [
  encodeChallenge({ nonce: NONCE, population: "test", heartbeat: 15_000 }),
  encodeAuthentication(NONCE, {
    idPk: new Uint8Array(32).fill(1),
    certificate: new Uint8Array(72).fill(2),
    audience: "127.0.0.1:8080",
    software: "murmuration 0.1.0",
    signature: new Uint8Array(64).fill(3),
  }),
  encodeWelcome(NONCE, { device: "d-1" }),
  encodeWelcome(NONCE, { device: "d-1", simulation: SIMULATION }),
  encodeRefused(NONCE, { reason: "revoked", message: "The operator revoked this device's key." }),
  encodeRefused(NONCE, { reason: "stopping", message: "It stops.", window: { min: 1000, max: 2000 } }),
  encodeCheckIn(NONCE),
  encodePace(NONCE, { min: 0, max: 60_000 }),
];
