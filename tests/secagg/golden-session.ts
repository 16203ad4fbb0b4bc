import { createClientSecAgg } from "../../client/secagg/session.ts";
import { createServerSecAgg } from "../../server/secagg/session.ts";
import { fromHex, toHex } from "../../shared/crypto/bytes.ts";
import type { CryptoProvider } from "../../shared/crypto/provider.ts";
import { FRAME_TYPES, frameType } from "../../shared/protocol/frame.ts";
import type { DeviceId } from "../../shared/protocol/ids.ts";
import { contextHash, encodeAgreement, type SecAggAgreement } from "../../shared/secagg/agreement.ts";
import { issueCertificate } from "../../shared/secagg/certificates.ts";
import {
  boxContext,
  channelKey,
  pairMaskKey,
  ringDigest,
  rosterHash,
  seedCommitment,
  selfMaskKey,
} from "../../shared/secagg/key-schedule.ts";
import { addMask } from "../../shared/secagg/masks.ts";
import { decodeRoster } from "../../shared/secagg/messages/exchanges.ts";
import { createRingAccumulator } from "../../shared/secagg/ring-accumulator.ts";
import { rosterGraph, rosterParameters } from "../../shared/secagg/roster-graph.ts";
import { createSlotTable } from "../../shared/secagg/slots.ts";
import {
  deviceName,
  NOW_SECONDS,
  runSession,
  type TestDevice,
  type TestSession,
  testAgreement,
  testPolicy,
  vanishing,
} from "./session-harness.ts";

/** What a recorded session may differ in; the golden one has the defaults. */
export interface RecordedSessionOptions {
  /** Devices, n; by default 5. */
  readonly size?: number;
  /** Ring width b; by default 20. */
  readonly bits?: number;
  readonly maxCohort?: number;
  /** The numbers of the devices that vanish after they shared; by default the third. */
  readonly vanish?: readonly number[];
}

/**
 * One session of certified devices, some of which vanish after they shared, with every random byte fixed, and every
 * intermediate value written out: what an independent implementation of suite 1 is held to.
 *
 * Device i, named `device-i`, draws from the stream SHA-256(name ‖ "/" ‖ counter), counter = 0, 1, … in decimal, a draw
 * of n bytes taking ⌈n/32⌉ whole blocks. Its draws are, in order: c_u 32, s_u 32, b_u 32, the coefficients of b_u's
 * polynomials 32 (t − 1), those of s_u's 32 (t − 1).
 */
export function goldenSession(
  provider: CryptoProvider,
  { size = 5, bits = 20, maxCohort = 8, vanish = [2] }: RecordedSessionOptions = {},
): Record<string, unknown> {
  const authority = provider.importEd25519(named(provider, "authority"));
  const agreement: SecAggAgreement = testAgreement({
    level: "active-server",
    population: "golden",
    taskId: fromHex("000102030405060708090a0b0c0d0e0f"),
    modelHash: provider.sha256(new TextEncoder().encode("golden model")),
    dimension: 11,
    bits,
    slots: createSlotTable([
      { name: "weight", max: 1, scale: 64, excess: "error" },
      { name: "examples", max: 100, scale: 1, excess: "clamp" },
    ]),
    transforms: ["clip:1", "quantise:8:1"],
    maxCohort,
  });
  const secrets = new Map<DeviceId, Uint8Array[]>();
  const devices = new Map<DeviceId, TestDevice>();
  for (let i = 0; i < size; i++) {
    const drawn: Uint8Array[] = [];
    const fixed = withFixedRandom(provider, `device-${i}`, drawn);
    const key = provider.importEd25519(named(provider, `identity-${i}`));
    const certificate = issueCertificate(authority, agreement.population, key.publicKey, NOW_SECONDS + 3600);
    const input = Int32Array.from({ length: agreement.dimension }, (_, j) => ((i * 37 + j * 53 + 11) % 255) - 127);
    const client = createClientSecAgg({
      provider: fixed,
      agreement,
      identity: { publicKey: key.publicKey, sign: key.sign, certificate },
      authority: authority.publicKey,
      policy: testPolicy(),
      input: input.slice(),
      journal: { recordUpload() {} },
      nowSeconds: NOW_SECONDS,
    });
    secrets.set(deviceName(i), drawn);
    devices.set(deviceName(i), { client, input, uploads: [] });
  }
  const server = createServerSecAgg({
    provider,
    agreement,
    authority: authority.publicKey,
    nowSeconds: NOW_SECONDS,
    invited: [...devices.keys()],
    quorum: 3,
  });
  const session: TestSession = { agreement, server, devices, dropped: [], delivered: [] };
  runSession(session, vanishing(new Map(vanish.map((i) => [deviceName(i), { exchange: "mask", when: "before" }]))));
  return {
    description: "One session of suite 1. All byte strings are hexadecimal; docs/protocol.md says what each is.",
    ...describeSession(provider, session, secrets),
    authority: toHex(authority.publicKey),
    transcript: session.delivered.map(({ device, direction, frame }) => ({ device, direction, frame: toHex(frame) })),
  };
}

function describeSession(
  provider: CryptoProvider,
  session: TestSession,
  secrets: ReadonlyMap<DeviceId, readonly Uint8Array[]>,
): Record<string, unknown> {
  const { agreement, server } = session;
  const result = server.result;
  if (result === undefined) throw new Error("the golden session ends with a sum");
  const context = contextHash(provider, agreement);
  const { entries, graphSeed } = decodeRoster(bodyOf(session, FRAME_TYPES.roster), 0xffff);
  const parameters = rosterParameters(agreement, entries.length);
  if (!parameters.ok) throw new Error(parameters.reason);
  const identities = entries.map(({ idPk }) => idPk);
  const graph = rosterGraph(provider, parameters, identities, graphSeed);
  const sid = frameOf(session, FRAME_TYPES.sharesForward).slice(24, 56);
  const binding = { sid, bits: agreement.bits };
  const byIndex = entries.map(({ idPk }) => {
    const found = [...session.devices].find(([device]) => equalHex(advertisedIdentity(session, device), idPk));
    if (found === undefined) throw new Error("every entry is a device's");
    return found;
  });
  const drawnBy = (index: number) => secrets.get(byIndex[index][0]) ?? [];
  return {
    agreement: toHex(encodeAgreement(agreement)),
    dimension: agreement.dimension,
    bits: agreement.bits,
    context: toHex(context),
    rosterHash: toHex(rosterHash(provider, entries)),
    graph: { kind: graph.kind, degree: graph.degree, threshold: graph.threshold, seed: toHex(graphSeed) },
    sid: toHex(sid),
    devices: byIndex.map(([device, { input }], index) => {
      const [channelSecret, maskSecret, seed] = drawnBy(index);
      const channel = provider.importX25519(channelSecret);
      const mask = provider.importX25519(maskSecret);
      return {
        index,
        device,
        identitySeed: toHex(named(provider, `identity-${Number(device.slice(2))}`)),
        idPk: toHex(entries[index].idPk),
        channelSecret: toHex(channelSecret),
        channelKey: toHex(channel.publicKey),
        maskSecret: toHex(maskSecret),
        maskKey: toHex(mask.publicKey),
        seed: toHex(seed),
        commitment: toHex(seedCommitment(provider, sid, index, seed)),
        selfMaskKey: toHex(selfMaskKey(provider, binding, seed, index)),
        selfMask: maskValues(provider, selfMaskKey(provider, binding, seed, index), agreement),
        peers: graph.neighbours(index).map((peer) => ({
          index: peer,
          slot: graph.slot(index, peer),
          channelKeyTo: toHex(channelKey(provider, binding, channel.agree(entries[peer].channelKey), index, peer)),
          boxContext: toHex(boxContext(sid, index, peer, graph.slot(index, peer))),
          pairMaskKey: toHex(pairMaskKey(provider, binding, mask.agree(entries[peer].maskKey), index, peer)),
        })),
        ringDigest: toHex(ringDigest(provider, graphSeed, entries[index].idPk)),
        input: [...input],
      };
    }),
    result: {
      survivors: result.survivors.map((device) => byIndex.findIndex(([name]) => name === device)).sort((a, b) => a - b),
      sum: [...result.sum],
      resultHash: toHex(result.resultHash),
    },
  };
}

/** The mask's coordinates, each in 0 … 2^b − 1. */
function maskValues(provider: CryptoProvider, key: Uint8Array, { dimension, bits }: SecAggAgreement): number[] {
  const accumulator = createRingAccumulator(dimension, bits);
  addMask(accumulator, provider, key, 1);
  const values = [...accumulator.toSignedSum()].map((value) => (value < 0 ? value + 2 ** bits : value));
  accumulator.dispose();
  return values;
}

/** What a device's random source gave, as it gave it. For tests only: a session must never be repeated. */
function withFixedRandom(provider: CryptoProvider, name: string, drawn: Uint8Array[]): CryptoProvider {
  let counter = 0;
  const bytes = (length: number): Uint8Array => {
    const stream = new Uint8Array(Math.ceil(length / 32) * 32);
    for (let at = 0; at < length; at += 32) stream.set(named(provider, `${name}/${counter++}`), at);
    drawn.push(stream.slice(0, length));
    return stream.slice(0, length);
  };
  return {
    ...provider,
    random: { kind: "secure", bytes },
    generateX25519: () => provider.importX25519(bytes(32)),
  };
}

function named(provider: CryptoProvider, name: string): Uint8Array {
  return provider.sha256(new TextEncoder().encode(name));
}

function frameOf(session: TestSession, type: number): Uint8Array {
  const found = session.delivered.find(({ frame }) => frameType(frame) === type);
  if (found === undefined) throw new Error(`no frame of type ${type} was delivered`);
  return found.frame;
}

function bodyOf(session: TestSession, type: number): Uint8Array {
  return frameOf(session, type).subarray(64);
}

/** idPk opens the body of ADVERTISE. */
function advertisedIdentity(session: TestSession, device: DeviceId): Uint8Array {
  const found = session.delivered.find(
    (carried) => carried.device === device && frameType(carried.frame) === FRAME_TYPES.advertise,
  );
  if (found === undefined) throw new Error(`${device} never advertised`);
  return found.frame.subarray(64, 96);
}

const equalHex = (a: Uint8Array, b: Uint8Array) => toHex(a) === toHex(b);
