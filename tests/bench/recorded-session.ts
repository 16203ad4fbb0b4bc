import { cryptoProvider } from "#crypto-provider";
import { advertise } from "../../client/secagg/advertise.ts";
import { confirm } from "../../client/secagg/confirm.ts";
import { mask } from "../../client/secagg/mask.ts";
import { DEFAULT_POLICY } from "../../client/secagg/policy.ts";
import { share } from "../../client/secagg/share.ts";
import type { ClientSecAggOptions, MaskedState } from "../../client/secagg/state.ts";
import { unmask } from "../../client/secagg/unmask.ts";
import { createServerSecAgg, type SecAggEffects, type ServerSecAgg } from "../../server/secagg/session.ts";
import { cutIntoChunks } from "../../shared/protocol/chunks.ts";
import { decodeFrame, encodeFrame, FRAME_TYPES, type FrameType, NO_INDEX } from "../../shared/protocol/frame.ts";
import type { DeviceId } from "../../shared/protocol/ids.ts";
import type { SecAggAgreement } from "../../shared/secagg/agreement.ts";
import type { SharingGraph } from "../../shared/secagg/graph.ts";
import { recordRandomness } from "./replayed-randomness.ts";
import { sessionAgreement, subjectInput, subjectUpdate, syntheticInput } from "./session-inputs.ts";

/**
 * One whole session of n real devices, recorded, so that the coordinator and one device can be measured on it again and
 * again without the others. Every frame is what a device would have sent; the coordinator sums them for real.
 *
 * The devices that are only played believe every signature that they are shown: n² verifications outside of what is
 * measured would take longer than all the rest.
 */
export interface RecordedSession {
  readonly agreement: SecAggAgreement;
  readonly names: readonly DeviceId[];
  readonly graph: SharingGraph;
  /** By device: its frames of exchanges 0, 1 and 2. */
  readonly advertised: readonly Uint8Array[];
  readonly shared: readonly Uint8Array[];
  readonly masked: readonly (readonly Uint8Array[])[];
  /** One for each of {@link DROP_RATES}. */
  readonly endings: readonly SessionEnding[];
  readonly subject: RecordedDevice;
}

/** The exchanges from U3 on, when some devices vanish between sharing and masking. */
export interface SessionEnding {
  readonly dropRate: number;
  /** By device; a vanished one has none. */
  readonly confirmed: readonly (Uint8Array | undefined)[];
  readonly unmasked: readonly (Uint8Array | undefined)[];
  /** The sum of the survivors' inputs, added up in clear. */
  readonly plainSum: Int32Array;
  /** Masks that the coordinator has to remove: alive + Σ over the dropped of their surviving neighbours. */
  readonly passes: number;
}

/** Device 0: what it drew, what it was asked, what it answered when nobody vanishes. */
export interface RecordedDevice {
  readonly identity: ClientSecAggOptions["identity"];
  readonly draws: readonly Uint8Array[];
  readonly update: Float32Array;
  /** ROSTER, SHARES_FWD, SURVIVORS, ACKS, DONE. */
  readonly requests: readonly Uint8Array[];
  /** ADVERTISE, SHARES, MASKED in chunks, ACK, UNMASK. */
  readonly replies: readonly Uint8Array[];
}

/** Shares of the devices that vanish between sharing and masking. */
export const DROP_RATES = [0, 0.1] as const;

export const NOW_SECONDS = 1_800_000_000;

/** Small floors: the smallest cohort that is measured has 16 devices, of which one may vanish. */
export const BENCH_POLICY = { ...DEFAULT_POLICY, minCohort: 8 };

export function recordSession(options: { readonly devices: number; readonly dimension: number }): RecordedSession {
  const { devices, dimension } = options;
  const agreement = sessionAgreement(devices, dimension);
  const names = Array.from({ length: devices }, (_, i) => `device-${i}` as DeviceId);
  const identities = names.map(() => cryptoProvider.generateEd25519());
  const believing = { ...cryptoProvider, verifyEd25519: () => true };
  const recorded = recordRandomness(believing);
  const update = subjectUpdate(agreement);

  function optionsOf(device: number, input: Int32Array): ClientSecAggOptions {
    return {
      provider: device === 0 ? recorded.provider : believing,
      agreement,
      identity: identities[device],
      policy: BENCH_POLICY,
      input,
      journal: { recordUpload() {} },
      nowSeconds: NOW_SECONDS,
    };
  }

  const server = openCoordinator({ agreement, names });
  // The measured device quantises first of all, and draws for it.
  const ownInput = subjectInput(agreement, update, recorded.provider);
  const first = names.map((_, i) => advertise(optionsOf(i, NO_INPUT)));
  const context = first[0].state.context;
  const advertised = first.map(({ body }) => frame(agreement, FRAME_TYPES.advertise, context, NO_INDEX, body));
  for (const [i, bytes] of advertised.entries()) server.receive(names[i], bytes);
  const rosters = requestsByDevice(server.closeStage(), names);

  const second = names.map((_, i) => share(optionsOf(i, NO_INPUT), first[i].state, bodyOf(rosters[i])));
  const { graph, sid } = second[0].state.session;
  const indices = second.map(({ state }) => state.session.index);
  const shared = second.map(({ body }, i) => frame(agreement, FRAME_TYPES.shares, sid, indices[i], body));
  for (const [i, bytes] of shared.entries()) server.receive(names[i], bytes);
  const forwarded = requestsByDevice(server.closeStage(), names);

  const vanishing = DROP_RATES.map((rate) => vanishingDevices(indices, rate));
  const plainSums = DROP_RATES.map(() => new Int32Array(dimension));
  const states: MaskedState[] = [];
  const masked = names.map((_, i) => {
    const input = i === 0 ? ownInput : syntheticInput(agreement, i);
    for (const [e, sum] of plainSums.entries()) if (!vanishing[e].has(i)) addInto(sum, input);
    const next = mask(optionsOf(i, input), second[i].state, bodyOf(forwarded[i]));
    states.push(next.state);
    return cutIntoChunks(next.upload).map((chunk, sequence) =>
      frame(agreement, FRAME_TYPES.masked, sid, indices[i], chunk, sequence),
    );
  });

  const before = { agreement, names, graph, advertised, shared, masked };
  const subjectRequests: Uint8Array[] = [rosters[0], forwarded[0]];
  const subjectReplies: Uint8Array[] = [advertised[0], shared[0], ...masked[0]];
  const endings = DROP_RATES.map((dropRate, e): SessionEnding => {
    const gone = vanishing[e];
    const alive = names.map((_, i) => i).filter((i) => !gone.has(i));
    const coordinator = openCoordinator(before);
    for (const stage of firstStages(before)) playStage(coordinator, stage);
    const survivors = requestsByDevice(playStage(coordinator, maskStage(before, gone)), names);
    const third = names.map((_, i) =>
      gone.has(i) ? undefined : confirm(optionsOf(i, NO_INPUT), states[i], bodyOf(survivors[i])),
    );
    const confirmed = third.map((step, i) => step && frame(agreement, FRAME_TYPES.ack, sid, indices[i], step.body));
    const acks = requestsByDevice(playStage(coordinator, answersOf(names, confirmed)), names);
    const unmasked = third.map((step, i) => {
      if (step === undefined) return undefined;
      const { body } = unmask(optionsOf(i, NO_INPUT), step.state, bodyOf(acks[i]));
      return frame(agreement, FRAME_TYPES.unmask, sid, indices[i], body);
    });
    const done = requestsByDevice(playStage(coordinator, answersOf(names, unmasked)), names);
    if (gone.size === 0) {
      subjectRequests.push(survivors[0], acks[0], done[0]);
      subjectReplies.push(...[confirmed[0], unmasked[0]].filter((reply) => reply !== undefined));
    }
    const dropped = [...gone].map((i) => indices[i]);
    const livingIndices = new Set(alive.map((i) => indices[i]));
    const rebuilt = dropped.map((index) => graph.neighbours(index).filter((peer) => livingIndices.has(peer)).length);
    const passes = alive.length + rebuilt.reduce((sum, count) => sum + count, 0);
    return { dropRate, confirmed, unmasked, plainSum: plainSums[e], passes };
  });

  const subject = {
    identity: identities[0],
    draws: recorded.draws,
    update,
    requests: subjectRequests,
    replies: subjectReplies,
  };
  return { ...before, endings, subject };
}

/** What reaches the coordinator in one exchange: a device's frames, device by device. */
export type Stage = readonly { readonly device: DeviceId; readonly frames: readonly Uint8Array[] }[];

/** All five exchanges of a session with this ending. */
export function stagesOf(session: RecordedSession, ending: SessionEnding): Stage[] {
  const gone = new Set(session.names.flatMap((_, i) => (ending.confirmed[i] === undefined ? [i] : [])));
  return [
    ...firstStages(session),
    maskStage(session, gone),
    answersOf(session.names, ending.confirmed),
    answersOf(session.names, ending.unmasked),
  ];
}

export function openCoordinator({ agreement, names }: Pick<RecordedSession, "agreement" | "names">): ServerSecAgg {
  return createServerSecAgg({
    provider: cryptoProvider,
    agreement,
    nowSeconds: NOW_SECONDS,
    invited: names,
    quorum: BENCH_POLICY.minCohort,
  });
}

/** Delivers one exchange's frames and closes it. */
export function playStage(server: ServerSecAgg, stage: Stage): SecAggEffects {
  for (const { device, frames } of stage) for (const bytes of frames) server.receive(device, bytes);
  return server.closeStage();
}

type Uploads = Pick<RecordedSession, "names" | "advertised" | "shared" | "masked">;

function firstStages({ names, advertised, shared }: Uploads): Stage[] {
  return [answersOf(names, advertised), answersOf(names, shared)];
}

function maskStage({ names, masked }: Uploads, gone: ReadonlySet<number>): Stage {
  return names.flatMap((device, i) => (gone.has(i) ? [] : [{ device, frames: masked[i] }]));
}

function answersOf(names: readonly DeviceId[], answers: readonly (Uint8Array | undefined)[]): Stage {
  return names.flatMap((device, i) => {
    const answer = answers[i];
    return answer === undefined ? [] : [{ device, frames: [answer] }];
  });
}

const NO_INPUT = new Int32Array(0);

function frame(
  agreement: SecAggAgreement,
  type: FrameType,
  binding: Uint8Array,
  sender: number,
  body: Uint8Array,
  sequence = 0,
): Uint8Array {
  return encodeFrame({ type, flags: 0, roundId: agreement.roundId, binding, sender, sequence }, body);
}

function bodyOf(bytes: Uint8Array): Uint8Array {
  return decodeFrame(bytes).body;
}

function requestsByDevice({ send, dropped }: SecAggEffects, names: readonly DeviceId[]): Uint8Array[] {
  const unexpected = dropped.find(({ reason }) => reason !== "deadline");
  if (unexpected !== undefined) throw new Error(`${unexpected.device} was dropped: ${unexpected.detail}`);
  const byDevice = new Map(send.map(({ to, frame }) => [to, frame]));
  return names.map((name) => byDevice.get(name) ?? NOTHING_ASKED);
}

const NOTHING_ASKED = new Uint8Array(0);

/** Evenly spread over the ring, so that few of them are neighbours; never device 0, which is measured. */
function vanishingDevices(indices: readonly number[], rate: number): ReadonlySet<number> {
  const count = Math.floor(indices.length * rate);
  const offset = indices[0] + 1;
  const places = Array.from(
    { length: count },
    (_, i) => (offset + Math.floor((i * indices.length) / count)) % indices.length,
  );
  return new Set(places.map((place) => indices.indexOf(place)));
}

function addInto(sum: Int32Array, input: Int32Array): void {
  for (let i = 0; i < sum.length; i++) sum[i] = (sum[i] + input[i]) | 0;
}
