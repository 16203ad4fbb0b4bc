import { encodeDecline, encodeReleased } from "../../shared/protocol/control-messages.ts";
import { encodeFrame, FRAME_TYPES, frameType, NO_INDEX } from "../../shared/protocol/frame.ts";
import { ABORT_CODES } from "../../shared/protocol/reasons.ts";
import type { SeededRandom } from "../../shared/random/seeded-random.ts";
import { contextHash } from "../../shared/secagg/agreement.ts";
import { attackCoordinator } from "./attack-coordinator.ts";
import { attackDecoders, type Corpus } from "./attack-decoders.ts";
import { attackDevice } from "./attack-device.ts";
import { attackSession } from "./attack-session.ts";
import { CONNECTION_FRAMES } from "./connection-frames.ts";
import { type BodyDecoder, groupByType } from "./decoders.ts";
import type { Material } from "./mutations.ts";
import { type Recording, recordSession } from "./recording.ts";
import { createSetting, type Programs, type Shape } from "./setting.ts";
import type { Tally } from "./tally.ts";

/** Small rounds of every kind. Two have the same number, so that only the binding tells their frames apart. */
const RECORDED: readonly Shape[] = [
  { mode: "masked", devices: 7, goal: 5, parameters: 8, round: 7, simulation: true },
  { mode: "masked", level: "active-server", devices: 6, goal: 4, parameters: 3, round: 8 },
  { mode: "masked", devices: 9, goal: 8, parameters: 40, round: 7, bits: 32 },
  { mode: "plaintext", devices: 8, goal: 5, parameters: 8, round: 9, simulation: true },
  { mode: "plaintext", devices: 6, goal: 4, parameters: 11, round: 10, closeAt: "goal" },
];
/** Its model is fetched, and its uploads come in two frames. */
const LARGE: Shape = { mode: "plaintext", devices: 4, goal: 3, parameters: 2 ** 18 + 1, round: 11, bits: 32 };
/** Played with real devices. More are invited than are needed, so that there are many to lose. */
const PLAYED: readonly Shape[] = [
  ...RECORDED,
  { mode: "masked", devices: 12, goal: 5, parameters: 5, round: 12 },
  { mode: "masked", devices: 8, goal: 3, parameters: 8, round: 13, closeAt: "goal", simulation: true },
  { mode: "plaintext", devices: 24, goal: 6, parameters: 8, round: 14 },
];

/** Of a thousand sessions. Those of the decoders have by far the most frames, and are to have fewer than half. */
const SHARES = { decoders: 75, largeCoordinator: 2, largeDevice: 2, coordinator: 440, device: 430 };

/** Plays one session, of a kind that it draws. */
export type PlaySession = (random: SeededRandom, tally: Tally) => Promise<void>;

/** Records an honest round of each kind when it is first needed; the sessions start from them. */
export function createSessions(programs: Programs, decoders: readonly BodyDecoder[]): PlaySession {
  const recordings = RECORDED.map((shape) => once(() => recordSession(createSetting(programs, shape))));
  const large = once(() => recordSession(createSetting(programs, LARGE)));
  const played = PLAYED.map((shape) => createSetting(programs, shape));
  const materials = recordings.map((recording, i) =>
    once(() => materialOf(recording(), recordings[(i + 2) % recordings.length]())),
  );
  const largeMaterial = once(() => materialOf(large(), recordings[0]()));
  const corpora = recordings.map((recording) => once(() => corpusOf(recording())));
  const byType = groupByType(decoders);

  return async (random, tally) => {
    const which = random.below(recordings.length);
    const recording = recordings[which]();
    const material = materials[which]();
    let draw = random.below(1000);
    const falls = (share: number) => {
      draw -= share;
      return draw < 0;
    };
    if (falls(SHARES.decoders)) attackDecoders(random, tally, corpora[which](), byType, material);
    else if (falls(SHARES.largeCoordinator)) await attackCoordinator(random, tally, large(), largeMaterial());
    else if (falls(SHARES.largeDevice)) attackDevice(random, tally, large(), largeMaterial());
    else if (falls(SHARES.coordinator)) await attackCoordinator(random, tally, recording, material);
    else if (falls(SHARES.device)) attackDevice(random, tally, recording, material);
    else attackSession(random, tally, played[random.below(played.length)], material);
  };
}

function once<Value>(make: () => Value): () => Value {
  let made: { readonly value: Value } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

/** What a session's frames are mixed with: those of another session, and of connections. */
function materialOf({ frames, repair }: Recording, other: Recording): Material {
  return { session: frames, foreign: [...other.frames, ...CONNECTION_FRAMES], repair };
}

/** Valid frames of every type. */
function corpusOf({ setting, frames }: Recording): Corpus {
  const { agreement } = setting.open().configuration;
  const binding = { roundId: agreement.roundId, context: contextHash(setting.provider, agreement) };
  const header = { type: FRAME_TYPES.abort, flags: 0, sender: NO_INDEX, sequence: 0 };
  const rare = [
    encodeDecline(binding, "policy"),
    encodeReleased(binding, "over-selected"),
    encodeFrame({ ...header, roundId: binding.roundId, binding: binding.context }, Uint8Array.of(ABORT_CODES.deadline)),
  ];
  const { dimension, bits } = agreement;
  // Of the longest one, with the most fields, as many as of all others.
  const configurations = frames.filter((frame) => frameType(frame) === FRAME_TYPES.configure);
  const all = [...frames, ...CONNECTION_FRAMES, ...rare];
  return {
    frames: [...all, ...all.map((_, i) => configurations[i % configurations.length])],
    shape: { roster: setting.devices.length, dimension, bits },
  };
}
