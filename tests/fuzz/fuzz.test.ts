import { describe, expect, it } from "vitest";
import { createDevice } from "../../client/device.ts";
import type { Round, RoundEffects } from "../../server/round.ts";
import { FRAME_TYPES, frameType } from "../../shared/protocol/frame.ts";
import { seededRandom } from "../../shared/random/seeded-random.ts";
import { attackStage } from "./attack-coordinator.ts";
import { BODY_DECODERS } from "./decoders.ts";
import { FuzzFailure, type FuzzOptions, fuzz } from "./fuzz.ts";
import { recordSession } from "./recording.ts";
import { countsOf } from "./report.ts";
import { createSetting, PROGRAMS } from "./setting.ts";
import { createTally } from "./tally.ts";
import type { Target } from "./target.ts";
import { watchRound } from "./watched-round.ts";

const FRAMES = 3_000;

describe("three thousand mutated frames", async () => {
  const { sessions, tally } = await fuzz({ frames: FRAMES, seed: 1 });
  const counts = countsOf(tally);

  it("are looked at, half of them and more by the state machines, and nothing happens that must not", () => {
    expect(counts.frames).toBeGreaterThanOrEqual(FRAMES);
    expect(counts.readers.decoder).toBeLessThan(0.6 * counts.frames);
    expect(counts.readers.coordinator).toBeGreaterThan(0.2 * counts.frames);
    expect(counts.readers.device).toBeGreaterThan(0.1 * counts.frames);
  });

  it("are of every kind, get past the header, and meet rounds that end in every way", () => {
    expect(Object.keys(counts.mutations).length).toBeGreaterThan(25);
    for (const reason of ["malformed", "duplicate", "bad-signature", "bad-key", "oversize"]) {
      expect(counts.reactions).toHaveProperty([`coordinator refused ${reason}`]);
    }
    for (const code of ["malformed-message", "unexpected-message", "context-mismatch", "model-mismatch"]) {
      expect(counts.reactions).toHaveProperty([`device refused ${code}`]);
    }
    for (const ending of ["played, masked: done", "played, plaintext: done", "replayed: too-few-shares"]) {
      expect(counts.endings).toHaveProperty([ending]);
    }
  });

  it("are the same for the same seed, and others for another", async () => {
    const again = await fuzz({ frames: FRAMES, seed: 1 });
    expect({ sessions: again.sessions, ...countsOf(again.tally) }).toEqual({ sessions, ...counts });
    expect(countsOf((await fuzz({ frames: FRAMES / 10, seed: 2 })).tally)).not.toEqual(
      countsOf((await fuzz({ frames: FRAMES / 10, seed: 1 })).tally),
    );
  });
});

it("attacks a target that answers later as one that answers at once", async () => {
  const shape = { mode: "plaintext", devices: 6, goal: 4, parameters: 4, round: 1 } as const;
  const { setting, stages, frames: session, repair } = recordSession(createSetting(PROGRAMS, shape));
  const attackers = [...stages[0].answers].map(([device, awaited]) => ({ device, awaited }));

  async function attacked(wrap: (target: Target) => Target) {
    const tally = createTally();
    const target = wrap(watchRound(setting));
    await attackStage(seededRandom(1, "target"), tally, target, attackers, { session, foreign: session, repair });
    return countsOf(tally);
  }
  const later = await attacked((target) => ({ take: async (from, frames) => await target.take(from, frames) }));
  expect(later.readers.coordinator).toBeGreaterThanOrEqual(attackers.length);
  expect(await attacked((target) => target)).toEqual(later);
});

/** The message of what is found in so many frames. */
async function found(planted: Partial<FuzzOptions>): Promise<string> {
  try {
    await fuzz({ frames: 4 * FRAMES, seed: 1, ...planted });
  } catch (error) {
    if (error instanceof FuzzFailure) return error.message;
    throw error;
  }
  throw new Error("nothing was found");
}

/** A round of which one method is another one. */
function roundWith(change: (round: Round) => Partial<Round>): Partial<FuzzOptions> {
  return {
    programs: {
      openRound(...args) {
        const opened = PROGRAMS.openRound(...args);
        const { round } = opened;
        const changed = Object.create(round, Object.getOwnPropertyDescriptors(change(round)));
        return { ...opened, round: changed };
      },
    },
  };
}

describe("a bug that is planted is found", () => {
  const decoders = BODY_DECODERS.map((decoder) => ({
    ...decoder,
    again(...args: Parameters<typeof decoder.again>) {
      if (decoder.type === "acks" && args[0].length % 7 === 3) throw new TypeError("read of undefined");
      return decoder.again(...args);
    },
  }));

  it("in a decoder: another error at a certain length; with the session to play again", async () => {
    const message = await found({ decoders });
    expect(message).toMatch(/^seed 1, session \d+: the decoder of acks threw TypeError: read of undefined\n/);
    const session = Number(/--session (\d+)$/.exec(message)?.[1]);
    expect(await found({ decoders, session })).toBe(message);
    await expect(fuzz({ frames: 1, seed: 1, session })).resolves.toMatchObject({ sessions: 1 });
  });

  it("in a decoder: two bodies that read the same", async () => {
    const lenient = BODY_DECODERS.map((decoder) =>
      decoder.type === "pace" ? { ...decoder, again: () => new Uint8Array(8) } : decoder,
    );
    expect(await found({ decoders: lenient })).toContain("a body of pace has two encodings");
  });

  it("in the device: an error that is not a message's fault", async () => {
    const programs = {
      createDevice(...args: Parameters<typeof createDevice>) {
        const device = createDevice(...args);
        const receive: typeof device.receive = (now, frame) => {
          if (frameType(frame) === FRAME_TYPES.sharesForward && frame.length < 100) throw new RangeError("offset");
          return device.receive(now, frame);
        };
        return Object.create(device, { receive: { value: receive } });
      },
    };
    expect(await found({ programs })).toMatch(/Device.receive while \w+ threw RangeError: offset/);
  });

  it("in the device: it takes part in a round that it has uploaded for", async () => {
    const programs = {
      createDevice(options: Parameters<typeof createDevice>[0]) {
        return createDevice({ ...options, journal: { ...options.journal, latestRound: () => undefined } });
      },
    };
    expect(await found({ programs })).toContain("another frame of type 5 in the same round");
  });

  it("in the coordinator: a sum that is one off when a device is missing", async () => {
    const planted = roundWith((round) => ({
      get result() {
        const { result } = round;
        if (result === undefined || result.survivors.length !== 5) return result;
        return { ...result, sum: result.sum.map((value, i) => (i === 2 ? value + 1 : value)) };
      },
    }));
    expect(await found(planted)).toMatch(/coordinate 2 of the sum is -?\d+, and the inputs' is -?\d+/);
  });

  it("in the coordinator: a deadline that ends nothing", async () => {
    const planted = roundWith((round) => ({
      tick: (now): RoundEffects => (round.stage === "confirm" ? { send: [], facts: [], uploads: [] } : round.tick(now)),
    }));
    expect(await found(planted)).toContain("the round hangs in confirm");
  });

  it("in the coordinator: bytes that are kept of whoever sends too many", async () => {
    const planted = roundWith((round) => ({
      receive(now, device, frame): RoundEffects {
        if (frame.length > 1000 && frame.length < 100_000) return { send: [], facts: [], uploads: [] };
        return round.receive(now, device, frame);
      },
    }));
    expect(await found(planted)).toMatch(/bytes are held of d-\d+, and \d+ are the most/);
  });
});
