import { describe, expect, it } from "vitest";
import { gatherDevices, type Presence } from "../../server/gather.ts";
import { createStopSwitch } from "../../shared/time/stop-signal.ts";
import { manualClock } from "../shared/time/manual-clock.ts";

const WINDOW = 10_000;

function gathering(options: { readonly notBefore?: number } = {}) {
  const clock = manualClock();
  const stop = createStopSwitch();
  const listeners = new Set<() => void>();
  const told: Presence[] = [];
  let presence: Presence = { connected: 0, waiting: 0, expected: 20, need: 5 };
  let hopeless = false;
  let outcome: string | undefined;
  const done = gatherDevices({
    clock,
    stop,
    window: WINDOW,
    notBefore: options.notBefore === undefined ? undefined : clock.now() + options.notBefore,
    presence: () => presence,
    isHopeless: () => hopeless,
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    onPresence: (one) => told.push(one),
  }).then((gathered) => {
    outcome = gathered;
  });
  const settle = async () => {
    clock.advance(0);
    await Promise.resolve();
    await Promise.resolve();
    return outcome;
  };
  return {
    clock,
    stop,
    told,
    done,
    settle,
    get open() {
      return listeners.size + clock.pending;
    },
    async come(waiting: number) {
      presence = { ...presence, waiting, connected: waiting };
      for (const listener of [...listeners]) listener();
      return settle();
    },
    async despair() {
      hopeless = true;
      for (const listener of [...listeners]) listener();
      return settle();
    },
    async pass(milliseconds: number) {
      clock.advance(milliseconds);
      return settle();
    },
  };
}

describe("gathering devices", () => {
  it("ends when everybody expected is there, and leaves nothing behind", async () => {
    const subject = gathering();
    expect(await subject.come(19)).toBeUndefined();
    expect(await subject.come(20)).toBe("all");
    expect(subject.open).toBe(0);
  });

  it("ends at the window with those who are there", async () => {
    const subject = gathering();
    await subject.come(7);
    expect(await subject.pass(WINDOW - 1)).toBeUndefined();
    expect(await subject.pass(1)).toBe("enough");
    expect(subject.open).toBe(0);
  });

  it("goes on for as long as there are too few", async () => {
    const subject = gathering();
    await subject.come(4);
    expect(await subject.pass(100 * WINDOW)).toBeUndefined();
    expect(await subject.come(5)).toBeUndefined();
    expect(await subject.pass(WINDOW)).toBe("enough");
  });

  it("does not end before the next round is due", async () => {
    const subject = gathering({ notBefore: 60_000 });
    expect(await subject.come(20)).toBeUndefined();
    expect(await subject.pass(59_999)).toBeUndefined();
    expect(await subject.pass(1)).toBe("all");
  });

  it.each(["after-round", "now"] as const)("ends at once when it is asked to stop %s", async (request) => {
    const subject = gathering();
    await subject.come(3);
    subject.stop.ask(request);
    expect(await subject.settle()).toBe("stopped");
    expect(subject.open).toBe(0);
  });

  it("ends when no later arrival could help", async () => {
    const subject = gathering();
    await subject.come(3);
    expect(await subject.despair()).toBe("hopeless");
  });

  it("tells how many are there at once, then once a second at most, and never the same twice", async () => {
    const subject = gathering();
    expect(subject.told.map(({ waiting }) => waiting)).toEqual([0]);
    for (let i = 1; i <= 4; i++) await subject.come(i);
    expect(subject.told).toHaveLength(1);
    await subject.pass(1_000);
    expect(subject.told.map(({ waiting }) => waiting)).toEqual([0, 4]);
    await subject.come(4);
    await subject.pass(5_000);
    expect(subject.told).toHaveLength(2);
  });
});
