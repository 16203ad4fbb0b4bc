import { describe, expect, test } from "vitest";
import type { DeviceId } from "../../shared/protocol/ids.ts";
import type { AbandonReason } from "../../shared/protocol/reasons.ts";
import { seededRandom } from "../../shared/random/seeded-random.ts";
import { confirmationQuorum } from "../../shared/secagg/confirmation-quorum.ts";
import { deviceName, EXCHANGES, plainSum, runSession, type Vanishing, vanishing } from "../secagg/session-harness.ts";
import { type AttackedSession, attackedSession, isType } from "./fixture.ts";

type Plan = ReadonlyMap<number, Vanishing>;

/** Floors and quorum of three, complete graph: how a session has to end when devices vanish as planned. */
function expected(size: number, plan: Plan): AbandonReason | readonly number[] {
  const everyone = Array.from({ length: size }, (_, i) => i);
  const vanishesAt = (i: number) => {
    const planned = plan.get(i);
    if (planned === undefined) return Number.POSITIVE_INFINITY;
    return EXCHANGES.indexOf(planned.exchange) + (planned.when === "after" ? 0.5 : 0);
  };
  const stillThere = (exchange: number) => everyone.filter((i) => vanishesAt(i) > exchange);

  // Keys and shares can be taken back until their stage closes; an upload cannot.
  const roster = stillThere(0.5);
  if (roster.length < 3) return "below-quorum";
  const corrupted = Math.floor(roster.length / 3);
  const threshold = Math.floor((corrupted + roster.length - 1) / 2) + 1;
  const sharing = stillThere(1.5);
  if (sharing.length < 3) return "below-quorum";
  if (sharing.length - 1 < threshold) return "too-few-shares";
  const survivors = stillThere(2);
  if (survivors.length < 3) return "below-quorum";
  if (survivors.length - 1 < threshold) return "too-few-shares";
  const confirmed = survivors.filter((i) => vanishesAt(i) > 3);
  if (confirmed.length < confirmationQuorum(roster.length, corrupted) + 1) return "below-quorum";
  const asked = confirmed.filter((i) => vanishesAt(i) > 3.5);
  const holders = (given: readonly number[]) => {
    const owners = sharing.map((owner) => given.filter((holder) => holder !== owner).length);
    return Math.min(...owners);
  };
  if (holders(asked) < threshold) return "too-few-shares";
  if (holders(asked.filter((i) => vanishesAt(i) > 4)) < threshold) return "too-few-shares";
  return survivors;
}

function run(size: number, plan: Plan): AttackedSession {
  const session = attackedSession({ size });
  const named = new Map<DeviceId, Vanishing>([...plan].map(([i, vanishes]) => [deviceName(i), vanishes]));
  runSession(session, vanishing(named));
  return session;
}

/** The sum of the survivors, bit for bit, or the reason; and of an abandoned round nothing was opened. */
function expectEnd(session: AttackedSession, end: AbandonReason | readonly number[]): void {
  const { server } = session;
  if (typeof end === "string") {
    expect(server.abandoned?.reason).toBe(end);
    expect(server.result).toBeUndefined();
    expect(session.delivered.some(({ frame }) => isType(frame, "done"))).toBe(false);
    return;
  }
  expect(server.abandoned).toBeUndefined();
  expect(new Set(server.result?.survivors)).toEqual(new Set(end.map(deviceName)));
  expect(server.result?.sum).toEqual(plainSum(session, end.map(deviceName)));
}

describe("drop-outs", () => {
  const subsets = Array.from({ length: 31 }, (_, i) => [0, 1, 2, 3, 4].filter((bit) => ((i + 1) >> bit) & 1));

  test.each(
    EXCHANGES.flatMap((exchange) => [
      { exchange, when: "before" as const },
      { exchange, when: "after" as const },
    ]),
  )(
    "every subset of five devices, vanishing $when $exchange: the exact sum, or the reason and nothing opened",
    (vanishes) => {
      for (const subset of subsets) {
        const plan = new Map(subset.map((i) => [i, vanishes]));
        expectEnd(run(5, plan), expected(5, plan));
      }
    },
  );

  test("devices that vanish at different exchanges, drawn at random", () => {
    const random = seededRandom(3, "plans");
    const ends = new Set<string>();
    for (let trial = 0; trial < 60; trial++) {
      const size = 4 + random.below(5);
      const plan = new Map<number, Vanishing>();
      for (let lost = random.below(5); lost > 0; lost--) {
        const exchange = EXCHANGES[random.below(EXCHANGES.length)];
        plan.set(random.below(size), { exchange, when: random.below(2) === 0 ? "before" : "after" });
      }
      const end = expected(size, plan);
      expectEnd(run(size, plan), end);
      ends.add(typeof end === "string" ? end : "done");
    }
    expect([...ends].sort()).toEqual(["below-quorum", "done", "too-few-shares"]);
  });

  test("two that both dropped out: the mask between the two is in nobody's upload", () => {
    const gone = { exchange: "mask", when: "before" } as const;
    const plan = new Map([2, 3].map((i) => [i, gone]));
    expectEnd(run(9, plan), [0, 1, 4, 5, 6, 7, 8]);
  });

  // n = 9: k = 8, t = 6: each secret can spare two of its eight holders, so three devices vanish with their own secret.
  test("while unmasking: with exactly t shares of every secret it succeeds, with t − 1 it is abandoned unopened", () => {
    const vanish = (count: number) =>
      new Map(Array.from({ length: count }, (_, i) => [i, { exchange: "unmask" as const, when: "before" as const }]));
    expectEnd(run(9, vanish(2)), [0, 1, 2, 3, 4, 5, 6, 7, 8]);
    const session = run(9, vanish(3));
    expectEnd(session, "too-few-shares");
    expect(session.server.abandoned).toMatchObject({ have: 5, need: 6 });
  });
});

describe("on the sparse graph, n = 100, k = 26, t = 16", () => {
  /** Devices by their place on the ring. */
  function ringSession(places: (index: number) => Vanishing | undefined): AttackedSession {
    const session = attackedSession({ size: 100 });
    const plan = new Map<DeviceId, Vanishing>();
    for (const [device, index] of session.indices.entries()) {
      const vanishes = places(index);
      if (vanishes !== undefined) plan.set(deviceName(device), vanishes);
    }
    runSession(session, vanishing(plan));
    return session;
  }
  const lost = (session: AttackedSession, isLost: (index: number) => boolean) =>
    session.indices.flatMap((index, device) => (isLost(index) ? [] : [device]));

  test("a whole arc of ten, the most that the graph bears", () => {
    const isLost = (index: number) => index >= 40 && index < 50;
    const session = ringSession((index) => (isLost(index) ? { exchange: "mask", when: "before" } : undefined));
    expectEnd(session, lost(session, isLost));
  });

  test("an arc of half a neighbourhood: a device in its middle has too few holders, and nothing is opened", () => {
    const session = ringSession((index) =>
      index >= 40 && index < 51 ? { exchange: "unmask", when: "before" } : undefined,
    );
    expectEnd(session, "too-few-shares");
    expect(session.server.abandoned).toMatchObject({ have: 15, need: 16 });
  });
});
