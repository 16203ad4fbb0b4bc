import { describe, expect, it } from "vitest";
import {
  type Agent,
  type AgentOptions,
  type AgentOutcome,
  type AgentProgress,
  startAgent,
} from "../../client/agent.ts";
import type { Dial, Transport, TransportEvents } from "../../client/transport/transport.ts";
import { UnavailableError } from "../../client/transport/unavailable.ts";
import {
  type Challenge,
  encodeChallenge,
  encodePace,
  encodeRefused,
  encodeWelcome,
} from "../../shared/protocol/connection-messages.ts";
import { MurmurError } from "../../shared/protocol/errors.ts";
import { REFUSALS, type Refusal } from "../../shared/protocol/reasons.ts";
import { manualClock } from "../shared/time/manual-clock.ts";
import { challenge, connectionOptions, HEARTBEAT, proves, typesOf } from "./connection-fixtures.ts";
import { memoryJournal, offer, testDevice } from "./device-fixtures.ts";

/** The coordinator's end of one connection. */
interface Line {
  readonly at: number;
  readonly events: TransportEvents;
  readonly sent: Uint8Array[];
  closed: "no" | "goodbye" | "cut";
}

/** A device whose coordinator is played by hand, on a clock that is moved by hand. */
function playedAgent(changes: Partial<AgentOptions> = {}) {
  const clock = manualClock();
  const lines: Line[] = [];
  const progress: AgentProgress[] = [];
  const dial: Dial = (events): Transport => {
    const line: Line = { at: clock.now(), events, sent: [], closed: "no" };
    lines.push(line);
    return {
      send: (frame) => void line.sent.push(frame),
      close: () => {
        if (line.closed === "no") line.closed = "goodbye";
      },
      destroy: () => {
        line.closed = "cut";
      },
    };
  };
  let anchored = 0;
  let outcome: AgentOutcome | "rejected" | undefined;
  const agent: Agent = startAgent({
    ...connectionOptions(),
    dial,
    fetchModel: () => Promise.reject(new UnavailableError({ detail: "no model here" })),
    train: () => new Promise(() => undefined),
    clock: {
      ...clock,
      anchor: () => {
        anchored++;
        return 0;
      },
    },
    uniform: () => 0.5,
    report: (step) => void progress.push(step),
    ...changes,
  });
  agent.ended.then(
    (how) => {
      outcome = how;
    },
    () => {
      outcome = "rejected";
    },
  );

  const line = () => lines[lines.length - 1];
  /** Lets promises go on. */
  const settle = () => new Promise<void>((resolve) => setImmediate(resolve));
  return {
    agent,
    clock,
    lines,
    progress,
    line,
    settle,
    get anchored() {
      return anchored;
    },
    outcome: async () => {
      await settle();
      return outcome;
    },
    /** The device is challenged, and let in where `welcomed`. */
    greet(welcomed = true): Challenge {
      const asked = challenge();
      line().events.opened();
      line().events.frame(encodeChallenge(asked));
      if (welcomed) line().events.frame(encodeWelcome(asked.nonce, { device: "d-0000" }));
      return asked;
    },
    away: () => progress.filter((step) => step.kind === "away"),
  };
}

type Played = ReturnType<typeof playedAgent>;

describe("a device's life", () => {
  it("connects, authenticates, checks in, is paced, and comes back within its window and never before", () => {
    const played = playedAgent();
    const asked = played.greet();
    expect(typesOf(played.line().sent)).toEqual(["authenticate", "checkIn"]);
    expect(proves(played.line().sent[0], asked)).toBe(true);
    played.line().events.frame(encodePace(asked.nonce, { min: 60_000, max: 120_000 }));
    expect(played.line().closed).toBe("goodbye");
    const left = played.clock.now();
    played.clock.advance(89_999);
    expect(played.lines).toHaveLength(1);
    played.clock.advance(60_000);
    expect(played.lines).toHaveLength(2);
    expect(played.line().at - left).toBe(90_000);
  });

  it("never comes early, though its timer rings early, and is not confused by a window of weeks", () => {
    const clock = manualClock();
    const early = { ...clock, after: (wait: number, ring: () => void) => clock.after(Math.max(1, wait * 0.9), ring) };
    const waits: number[] = [];
    const watched = {
      ...early,
      anchor: () => 0,
      after: (wait: number, ring: () => void) => {
        waits.push(wait);
        return early.after(wait, ring);
      },
    };
    const weeks = 49 * 86_400_000;
    const played = playedAgent({ clock: watched });
    const asked = played.greet();
    const left = clock.now();
    played.line().events.frame(encodePace(asked.nonce, { min: weeks, max: weeks }));
    while (played.lines.length === 1) clock.advance(3_600_000);
    expect(clock.now() - left).toBeGreaterThanOrEqual(weeks);
    expect(Math.max(...waits)).toBeLessThan(2 ** 31);
  });

  it("reconnects after a restart, longer each time, and soon again once a connection has lasted", () => {
    const played = playedAgent();
    const waits = () => played.away().map((step) => (step.kind === "away" ? step.milliseconds : 0));
    for (let failure = 0; failure < 9; failure++) {
      played.line().events.ended({ detail: "connect ECONNREFUSED" });
      played.clock.advance(30_000);
    }
    expect(waits()).toEqual([125, 250, 500, 1000, 2000, 4000, 8000, 15_000, 15_000]);
    // Let in and thrown out at once is no success.
    played.greet();
    played.line().events.ended({ detail: "closed" });
    expect(waits().at(-1)).toBe(15_000);
    played.clock.advance(15_000);
    played.greet();
    played.clock.advance(10_000);
    played.line().events.ended({ detail: "closed" });
    expect(waits().at(-1)).toBe(125);
    expect(played.agent).toBeDefined();
  });

  it("waits as long as a busy coordinator asks, and then its own share", () => {
    const played = playedAgent();
    played.line().events.ended({ detail: "rate limited", retryAfter: 7_000 });
    expect(played.away()).toEqual([{ kind: "away", reason: "rate limited", milliseconds: 7_125 }]);
  });

  it("anchors its clock when a round begins, and not within one", () => {
    const played = playedAgent();
    played.greet();
    expect(played.anchored).toBe(0);
    const { configure, model } = offer();
    played.line().events.frame(configure);
    expect(played.anchored).toBe(1);
    played.line().events.frame(model[0]);
    played.line().events.frame(configure);
    expect(played.anchored).toBe(1);
  });
});

describe("a coordinator that cannot be relied on", () => {
  const cases: [string, (played: Played) => void][] = [
    [
      "says nothing",
      ({ line, clock }) => {
        line().events.opened();
        clock.advance(10_000);
      },
    ],
    [
      "does not answer the authentication",
      ({ greet, clock }) => {
        greet(false);
        clock.advance(10_000);
      },
    ],
    [
      "falls silent",
      ({ greet, clock }) => {
        greet();
        clock.advance(3 * HEARTBEAT);
      },
    ],
    ["replays a challenge", ({ greet, line }) => line().events.frame(encodeChallenge(greet()))],
    [
      "replays another connection's welcome",
      ({ greet, line }) => {
        greet(false);
        line().events.frame(encodeWelcome(challenge().nonce, { device: "d" }));
      },
    ],
    [
      "replays another connection's pace",
      ({ greet, line }) => {
        greet();
        line().events.frame(encodePace(challenge().nonce, { min: 0, max: 0 }));
      },
    ],
    [
      "sends noise",
      ({ greet, line }) => {
        greet();
        line().events.frame(new Uint8Array(99));
      },
    ],
  ];

  it.each(cases)("is left when it %s, and tried again", (_, misbehave) => {
    const played = playedAgent();
    misbehave(played);
    expect(played.lines[0].closed).toBe("cut");
    expect(played.away()).toHaveLength(1);
    played.clock.advance(1_000);
    expect(played.lines).toHaveLength(2);
  });

  it("stays with one that pings", () => {
    const played = playedAgent();
    played.greet();
    for (let beat = 0; beat < 20; beat++) {
      played.clock.advance(HEARTBEAT);
      played.line().events.heard();
    }
    expect(played.lines).toHaveLength(1);
    expect(played.line().closed).toBe("no");
  });

  it("leaves nothing waiting behind", () => {
    const played = playedAgent();
    played.greet();
    played.line().events.frame(offer().configure);
    played.agent.stop();
    expect(played.line().closed).toBe("goodbye");
    expect(played.clock.pending).toBe(0);
  });
});

describe("refusals", () => {
  const errors: Partial<Record<Refusal, string>> = {
    "not-enrolled": "token-missing",
    revoked: "device-revoked",
    uncertified: "device-uncertified",
    replaced: "device-duplicate",
  };
  const reasons = (Object.keys(REFUSALS) as Refusal[]).filter((reason) => reason !== "finished");

  it.each(reasons)("%s without a window is for good, in the coordinator's words", async (reason) => {
    const played = playedAgent();
    const asked = played.greet();
    const message = "Because\u001b[2J of\nthis.";
    played.line().events.frame(encodeRefused(asked.nonce, { reason, message }));
    const outcome = await played.outcome();
    expect(outcome).toMatchObject({ kind: "refused", reason });
    expect(outcome).toHaveProperty("error.name", errors[reason] ?? "device-refused");
    expect(outcome).toHaveProperty("error.message", "Because [2J of this.");
    played.clock.advance(1e9);
    expect(played.lines).toHaveLength(1);
  });

  it.each(reasons)("%s with a window is for as long as it says", async (reason) => {
    const played = playedAgent();
    const asked = played.greet();
    const window = { min: 5_000, max: 7_000 };
    played.line().events.frame(encodeRefused(asked.nonce, { reason, message: "later", window }));
    expect(await played.outcome()).toBeUndefined();
    played.clock.advance(5_999);
    expect(played.lines).toHaveLength(1);
    played.clock.advance(1);
    expect(played.lines).toHaveLength(2);
  });

  it("finished is a good end", async () => {
    const played = playedAgent();
    const asked = played.greet();
    played.line().events.frame(encodeRefused(asked.nonce, { reason: "finished", message: "60 rounds are done." }));
    expect(await played.outcome()).toEqual({ kind: "finished", message: "60 rounds are done." });
  });

  it("an upgrade that is refused by name is for good", async () => {
    const played = playedAgent();
    const error = new MurmurError("protocol-version", "The device is older.");
    played.line().events.ended({ detail: error.message, error });
    expect(await played.outcome()).toEqual({ kind: "refused", error });
  });
});

describe("enrolment", () => {
  /** Enrols as the script says, one entry a call. */
  function enrolling(...script: readonly ("ok" | Error)[]) {
    const calls: boolean[] = [];
    const enrol = async (again: boolean) => {
      const step = script[calls.length];
      calls.push(again);
      if (step instanceof Error) throw step;
    };
    return { calls, enrol };
  }
  const unknown = (played: Played) => {
    const asked = played.greet(false);
    played.line().events.frame(encodeRefused(asked.nonce, { reason: "not-enrolled", message: "unknown" }));
  };

  it("comes before the first connection", async () => {
    const { calls, enrol } = enrolling("ok");
    const played = playedAgent({ enrol });
    expect(played.lines).toHaveLength(0);
    await played.settle();
    expect(calls).toEqual([false]);
    expect(played.lines).toHaveLength(1);
  });

  it("is tried again when the coordinator cannot be reached", async () => {
    const { calls, enrol } = enrolling(new UnavailableError({ detail: "down", retryAfter: 1_000 }), "ok");
    const played = playedAgent({ enrol });
    await played.settle();
    expect(played.away()).toEqual([{ kind: "away", reason: "down", milliseconds: 1_125 }]);
    played.clock.advance(1_125);
    await played.settle();
    expect(calls).toHaveLength(2);
    expect(played.lines).toHaveLength(1);
  });

  it("is repeated, once, for a coordinator that has forgotten the device", async () => {
    const { calls, enrol } = enrolling("ok", "ok", "ok");
    const played = playedAgent({ enrol });
    await played.settle();
    played.greet();
    unknown(played);
    await played.settle();
    expect(calls).toEqual([false, true]);
    expect(played.lines).toHaveLength(2);
    unknown(played);
    expect(await played.outcome()).toMatchObject({ kind: "refused", reason: "not-enrolled" });
    expect(calls).toHaveLength(2);
  });

  it("may fail for a device that is enrolled already; else its own error is the device's", async () => {
    const expired = new MurmurError("token-expired", "The token expired yesterday.");
    const known = playedAgent({ enrol: enrolling(expired).enrol });
    await known.settle();
    known.greet();
    expect(typesOf(known.line().sent)).toEqual(["authenticate", "checkIn"]);

    const stranger = playedAgent({ enrol: enrolling(expired).enrol });
    await stranger.settle();
    unknown(stranger);
    expect(await stranger.outcome()).toMatchObject({ kind: "refused", error: expired, reason: "not-enrolled" });
  });

  it("rejects for an error of the program itself", async () => {
    const played = playedAgent({ enrol: enrolling(new TypeError("a bug")).enrol });
    expect(await played.outcome()).toBe("rejected");
  });
});

describe("stopping", () => {
  it.each<[string, (played: Played) => void]>([
    ["before it is connected", () => undefined],
    ["while it is challenged", (played) => void played.greet(false)],
    ["while it waits for a round", (played) => void played.greet()],
    [
      "in a round",
      (played) => {
        played.greet();
        played.line().events.frame(offer().configure);
      },
    ],
    ["while it is away", (played) => played.line().events.ended({ detail: "closed" })],
  ])("is quick, %s", async (_, bring) => {
    const played = playedAgent();
    bring(played);
    played.agent.stop();
    played.agent.stop();
    expect(await played.outcome()).toEqual({ kind: "stopped" });
    expect(played.clock.pending).toBe(0);
    const dialled = played.lines.length;
    played.line().events.ended({ detail: "closed" });
    played.clock.advance(1e7);
    expect(played.lines).toHaveLength(dialled);
  });
});

describe("training and fetching", () => {
  const result = () => ({ parameters: Float32Array.of(1, 1, 1, 1), examples: 5, lossSum: 1, correct: 1, steps: 1 });

  it("a training whose round has moved on gives nothing to the next", async () => {
    const asked: { wanted: () => boolean; finish: (value: ReturnType<typeof result>) => void }[] = [];
    const played = playedAgent({
      train: (_request, _welcome, wanted) => new Promise((finish) => void asked.push({ wanted, finish })),
    });
    played.greet();
    const first = offer();
    for (const frame of [first.configure, first.model[0]]) played.line().events.frame(frame);
    expect(asked[0].wanted()).toBe(true);
    played.clock.advance(9_000);
    played.line().events.heard();
    played.clock.advance(11_000);
    expect(asked[0].wanted()).toBe(false);
    const second = offer({ agreement: { roundId: new Uint8Array(16).fill(9) } });
    for (const frame of [second.configure, second.model[0]]) played.line().events.frame(frame);
    asked[0].finish(result());
    await played.settle();
    expect(typesOf(played.line().sent).slice(-2)).toEqual(["checkIn", "accept"]);
    asked[1].finish(result());
    await played.settle();
    expect(typesOf(played.line().sent).at(-1)).toBe("trained");
  });

  it("an engine that fails costs the round, an engine that is not there the device", async () => {
    const failing = playedAgent({ train: () => Promise.reject(new Error("NaN")) });
    failing.greet();
    for (const frame of [offer().configure, offer().model[0]]) failing.line().events.frame(frame);
    await failing.settle();
    expect(typesOf(failing.line().sent).slice(-2)).toEqual(["decline", "checkIn"]);
    expect(failing.progress.map(({ kind }) => kind)).toContain("trouble");

    const error = new MurmurError("engine-unavailable", "no engine");
    const lacking = playedAgent({ train: () => Promise.reject(error) });
    lacking.greet();
    for (const frame of [offer().configure, offer().model[0]]) lacking.line().events.frame(frame);
    expect(await lacking.outcome()).toEqual({ kind: "refused", error });
    expect(lacking.line().closed).toBe("goodbye");
  });

  it("a model that cannot be fetched costs the round", async () => {
    const played = playedAgent();
    played.greet();
    const large = 2 ** 19;
    played.line().events.frame(offer({ parameters: large, agreement: { dimension: large + 6 } }).configure);
    await played.settle();
    const types = typesOf(played.line().sent);
    expect(types.slice(-2)).toEqual(["decline", "checkIn"]);
  });
});

describe("uploads", () => {
  async function uploaded(played: Played, round = offer()): Promise<string | undefined> {
    for (const frame of [round.configure, round.model[0]]) played.line().events.frame(frame);
    await played.settle();
    played.line().events.frame(round.begin);
    return typesOf(played.line().sent).at(-1);
  }
  const train = async () => ({
    parameters: Float32Array.of(1, 1, 1, 1),
    examples: 5,
    lossSum: 1,
    correct: 1,
    steps: 1,
  });

  it("leave once for a round, also after the process was started again", async () => {
    const entries: Parameters<typeof memoryJournal>[0] = [];
    const device = () => testDevice({ journal: memoryJournal(entries) });
    const first = playedAgent({ device, train });
    first.greet();
    expect(await uploaded(first)).toBe("plainUpdate");
    first.agent.stop();
    const again = playedAgent({ device, train });
    again.greet();
    await uploaded(again);
    expect(typesOf(again.line().sent).slice(-2)).toEqual(["decline", "checkIn"]);
    expect(again.progress).toContainEqual(
      expect.objectContaining({ kind: "round", outcome: expect.objectContaining({ code: "replayed-round" }) }),
    );
  });

  it("do not leave when they cannot be remembered", async () => {
    const full = new MurmurError("disk-full", "no space");
    const journal = {
      ...memoryJournal(),
      record() {
        throw full;
      },
    };
    const played = playedAgent({ device: () => testDevice({ journal }), train });
    played.greet();
    expect(await uploaded(played)).toBe("trained");
    expect(await played.outcome()).toEqual({ kind: "refused", error: full });
    expect(played.line().closed).toBe("cut");
  });
});
