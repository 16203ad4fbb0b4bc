import { describe, expect, it } from "vitest";
import { createEventFeed } from "../../../server/api/event-feed.ts";
import type { RunEvent } from "../../../shared/protocol/events.ts";
import { eventOf } from "./coordinator-fixture.ts";

function feedAfter(recorded: RunEvent[], capacity: number) {
  const asked: number[] = [];
  const older = (since: number, limit: number) => {
    asked.push(since);
    return recorded.filter(({ seq }) => seq > since).slice(0, limit);
  };
  return { asked, feed: createEventFeed({ last: recorded.length, older }, capacity) };
}

describe("the feed of events", () => {
  it("reads what is recent from memory, and what is not from the store", () => {
    const recorded = [1, 2, 3].map((seq) => eventOf(seq));
    const { feed, asked } = feedAfter(recorded, 4);
    for (let seq = 4; seq <= 30; seq++) {
      recorded.push(eventOf(seq));
      feed.append(eventOf(seq));
    }
    expect(feed.last).toBe(30);
    expect(feed.after(27, 10).map(({ seq }) => seq)).toEqual([28, 29, 30]);
    expect(feed.after(27, 2).map(({ seq }) => seq)).toEqual([28, 29]);
    expect([feed.after(30, 10), feed.after(99, 10)]).toEqual([[], []]);
    expect(asked).toEqual([]);
    expect(feed.after(0, 3).map(({ seq }) => seq)).toEqual([1, 2, 3]);
    expect(asked).toEqual([0]);
  });

  it("never leaves one out: neither of those that come, nor of those that the store does not have yet", () => {
    const { feed } = feedAfter([], 2);
    expect(() => feed.append(eventOf(2))).toThrow(/is due/);
    for (let seq = 1; seq <= 4; seq++) feed.append(eventOf(seq));
    // Numbers 1 and 2 are out of memory, and not recorded.
    expect(feed.after(0, 10)).toEqual([]);
  });

  it("tells its listeners until they leave", () => {
    const { feed } = feedAfter([], 4);
    const heard: string[] = [];
    const leaveA = feed.subscribe(() => {
      heard.push("a");
      leaveA();
    });
    const leaveB = feed.subscribe(() => heard.push("b"));
    feed.append(eventOf(1));
    feed.append(eventOf(2));
    leaveB();
    feed.append(eventOf(3));
    expect(heard).toEqual(["a", "b", "b"]);
  });
});
