import { equalBytes } from "../shared/crypto/bytes.ts";
import type { CryptoProvider } from "../shared/crypto/provider.ts";
import {
  type Challenge,
  connectMessage,
  decodeChallenge,
  decodePace,
  decodeRefused,
  decodeWelcome,
  encodeAuthentication,
  encodeCheckIn,
  type RefusedMessage,
  type ReturnWindow,
  type Welcome,
} from "../shared/protocol/connection-messages.ts";
import { decodeFrame, FRAME_TYPES, FrameError, type FrameHeader } from "../shared/protocol/frame.ts";
import { encodeCertificate } from "../shared/secagg/certificates.ts";
import { type Device, type DeviceEffects, type DeviceOutcome, roundNumber } from "./device.ts";
import type { DeviceIdentity } from "./secagg/session.ts";
import type { TrainingResult } from "./training/trainer.ts";

/**
 * One connection of a device to its coordinator, without I/O: it proves who the device is, checks it in, and carries
 * its rounds.
 *
 * ```
 *  opened ─CHALLENGE─► authenticating ─WELCOME─► welcomed: CHECK_IN ─► a round ─► CHECK_IN ─► …
 *     └───────────────────────┴──── REFUSED, PACE, silence, or a frame that has no place here ────► ended
 * ```
 */
export interface DeviceConnection {
  readonly phase: ConnectionPhase;
  /** The device is in no round. */
  readonly idle: boolean;
  /** When `tick` is due, in the caller's milliseconds. */
  readonly deadline: number | undefined;
  receive(now: number, frame: Uint8Array): ConnectionEffects;
  /** A sign of life that is no frame: a ping. */
  heard(now: number): void;
  fetched(now: number, model: Uint8Array): ConnectionEffects;
  fetchFailed(now: number): ConnectionEffects;
  trained(now: number, result: TrainingResult): ConnectionEffects;
  trainingFailed(now: number): ConnectionEffects;
  tick(now: number): ConnectionEffects;
  /** The connection is gone, or is being left: the round, if there is one, is forgotten. */
  closed(): ConnectionEffects;
}

export type ConnectionPhase = "opened" | "authenticating" | "welcomed" | "ended";

export interface ConnectionOptions {
  readonly provider: Pick<CryptoProvider, "sha256">;
  readonly identity: DeviceIdentity;
  /** The name and port that was dialled, as in the URL: "127.0.0.1:8080". */
  readonly audience: string;
  /** Name and version of the program, for the operator's statistics. */
  readonly software: string;
  /** Makes the device that this connection carries, once it has a name. */
  device(welcome: Welcome): Device;
}

/** A {@link Device}'s effects, and one that only a simulated device has. */
export interface CarriedEffects extends DeviceEffects {
  /** It vanishes: the connection closes after what it sends here. */
  readonly vanish?: true;
}

export interface ConnectionEffects extends Pick<DeviceEffects, "send" | "fetch" | "train"> {
  readonly welcomed?: Welcome;
  /** A round that is over for this device. */
  readonly round?: { readonly number: number; readonly outcome: DeviceOutcome };
  /** The connection is to be closed; nothing follows. */
  readonly end?: ConnectionEnding;
}

export type ConnectionEnding =
  | { readonly kind: "paced"; readonly window: ReturnWindow }
  | ({ readonly kind: "refused" } & RefusedMessage)
  | { readonly kind: "vanished" }
  /** The other side is silent, or does not keep to the protocol. */
  | { readonly kind: "broken"; readonly detail: string };

/** Milliseconds for the CHALLENGE, and again for what answers the AUTHENTICATE. */
export const HANDSHAKE_PATIENCE = 10_000;
/** Heartbeats without any sign of life after which the other side is given up. */
const SILENT_HEARTBEATS = 3;
/** A heartbeat outside of these milliseconds is no heartbeat. */
const SHORTEST_HEARTBEAT = 10;
const LONGEST_HEARTBEAT = 3_600_000;

type State =
  | { readonly kind: "opened" }
  | { readonly kind: "authenticating"; readonly challenge: Challenge }
  | { readonly kind: "welcomed"; readonly challenge: Challenge; readonly device: Device }
  | { readonly kind: "ended" };

const NOTHING: ConnectionEffects = { send: [] };

export function createDeviceConnection(openedAt: number, options: ConnectionOptions): DeviceConnection {
  let state: State = { kind: "opened" };
  /** When this phase is given up unless something is heard; in `opened` and `authenticating`, whatever is heard. */
  let patience = openedAt + HANDSHAKE_PATIENCE;
  /** The round that the device is in, or was in last. */
  let roundId = new Uint8Array(16);

  function end(ending: ConnectionEnding): ConnectionEffects {
    return { ...closed(), end: ending };
  }

  function broken(detail: string): ConnectionEffects {
    return end({ kind: "broken", detail });
  }

  function closed(): ConnectionEffects {
    const outcome = state.kind === "welcomed" ? state.device.disconnected().outcome : undefined;
    state = { kind: "ended" };
    return outcome === undefined ? NOTHING : { send: [], round: { number: roundNumber(roundId), outcome } };
  }

  function heard(now: number): void {
    if (state.kind === "welcomed") patience = now + SILENT_HEARTBEATS * state.challenge.heartbeat;
  }

  function authenticate(now: number, challenge: Challenge): ConnectionEffects {
    const { heartbeat, nonce, population } = challenge;
    if (heartbeat < SHORTEST_HEARTBEAT || heartbeat > LONGEST_HEARTBEAT) {
      return broken(`a heartbeat of ${heartbeat} ms`);
    }
    const { identity, audience, software } = options;
    const certificate =
      identity.certificate === undefined ? new Uint8Array(0) : encodeCertificate(identity.certificate);
    const signature = identity.sign(connectMessage(nonce, { population, audience, certificate }));
    state = { kind: "authenticating", challenge };
    patience = now + HANDSHAKE_PATIENCE;
    const idPk = identity.publicKey;
    return { send: [encodeAuthentication(nonce, { idPk, certificate, audience, software, signature })] };
  }

  function welcome(now: number, challenge: Challenge, welcomed: Welcome): ConnectionEffects {
    state = { kind: "welcomed", challenge, device: options.device(welcomed) };
    heard(now);
    return { send: [encodeCheckIn(challenge.nonce)], welcomed };
  }

  /** A frame of the connection itself. @throws {FrameError} */
  function converse(now: number, { type, roundId: round, binding }: FrameHeader, body: Uint8Array): ConnectionEffects {
    if (round.some((byte) => byte !== 0)) return broken("a frame of the connection that names a round");
    if (state.kind === "opened") {
      if (type === FRAME_TYPES.challenge) return authenticate(now, decodeChallenge(binding.slice(), body));
      // A coordinator that is full may say so before it challenges.
      if (type === FRAME_TYPES.refused) return end({ kind: "refused", ...decodeRefused(body) });
      return broken(`message type ${type} before a challenge`);
    }
    if (state.kind === "ended") return NOTHING;
    if (!equalBytes(binding, state.challenge.nonce)) return broken("a frame of another connection");
    if (type === FRAME_TYPES.refused) return end({ kind: "refused", ...decodeRefused(body) });
    if (state.kind === "authenticating" && type === FRAME_TYPES.welcome) {
      return welcome(now, state.challenge, decodeWelcome(body));
    }
    if (state.kind === "welcomed" && type === FRAME_TYPES.pace) return end({ kind: "paced", window: decodePace(body) });
    return broken(`message type ${type} while ${state.kind}`);
  }

  function receive(now: number, frame: Uint8Array): ConnectionEffects {
    const { header, body } = decodeFrame(frame);
    if (header.type >= FRAME_TYPES.challenge) return converse(now, header, body);
    if (state.kind !== "welcomed") return broken(`message type ${header.type} before a welcome`);
    if (header.type === FRAME_TYPES.configure && state.device.phase === "idle") roundId = header.roundId.slice();
    return carry(state, state.device.receive(now, frame));
  }

  /** What the device does, and the CHECK_IN that follows the end of a round. */
  function carry({ challenge }: Extract<State, { kind: "welcomed" }>, effects: CarriedEffects): ConnectionEffects {
    if (effects.vanish) return { ...end({ kind: "vanished" }), send: effects.send };
    const { outcome, ...rest } = effects;
    if (outcome === undefined) return rest;
    return {
      ...rest,
      send: [...effects.send, encodeCheckIn(challenge.nonce)],
      round: { number: roundNumber(roundId), outcome },
    };
  }

  function withDevice(act: (device: Device) => DeviceEffects): ConnectionEffects {
    return state.kind === "welcomed" ? carry(state, act(state.device)) : NOTHING;
  }

  return {
    get phase() {
      return state.kind;
    },
    get idle() {
      return state.kind !== "welcomed" || state.device.phase === "idle";
    },
    get deadline() {
      if (state.kind === "ended") return undefined;
      const device = state.kind === "welcomed" ? state.device.deadline : undefined;
      return device === undefined ? patience : Math.min(patience, device);
    },
    receive(now, frame) {
      if (state.kind === "ended") return NOTHING;
      heard(now);
      try {
        return receive(now, frame);
      } catch (error) {
        if (!(error instanceof FrameError)) throw error;
        return broken(error.message);
      }
    },
    heard,
    fetched: (now, model) => withDevice((device) => device.fetched(now, model)),
    fetchFailed: (now) => withDevice((device) => device.fetchFailed(now)),
    trained: (now, result) => withDevice((device) => device.trained(now, result)),
    trainingFailed: (now) => withDevice((device) => device.trainingFailed(now)),
    tick(now) {
      if (state.kind === "ended") return NOTHING;
      if (now >= patience) {
        const wanted = {
          opened: "challenge",
          authenticating: "answer to the authentication",
          welcomed: "sign of life",
        };
        return broken(`the coordinator gave no ${wanted[state.kind]} in time`);
      }
      return withDevice((device) => device.tick(now));
    },
    closed,
  };
}
