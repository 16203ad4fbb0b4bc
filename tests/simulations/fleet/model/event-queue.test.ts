import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createEventQueue } from "../../../../simulations/fleet/model/event-queue.ts";

interface Event {
  readonly time: number;
  readonly sequence: number;
  readonly payload: number;
}

/** What the queue should be: an array, sorted. */
function sortedArray() {
  const events: Event[] = [];
  let sequence = 0;
  return {
    events,
    push(time: number, payload: number) {
      events.push({ time, sequence: sequence++, payload });
      events.sort((a, b) => a.time - b.time || a.sequence - b.sequence);
    },
  };
}

// Few different times, so that many events share one.
const time = fc.oneof(
  fc.integer({ min: 0, max: 5 }),
  fc.double({ noNaN: true }),
  fc.constantFrom(0, -0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY),
);
const payload = fc.nat({ max: 2 ** 32 - 1 });
const step = fc.oneof(
  fc.record({ kind: fc.constant("push" as const), time, payload }),
  fc.record({ kind: fc.constant("drop" as const) }),
  fc.record({ kind: fc.constant("replace" as const), time, payload }),
);

describe("the queue of events", () => {
  it("gives them by time, and at one time in the order in which they were scheduled", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), fc.integer({ min: 1, max: 8 }), (steps, capacity) => {
        const queue = createEventQueue(capacity);
        const expected = sortedArray();
        const check = () => {
          expect(queue.size).toBe(expected.events.length);
          expect(queue.nextTime === (expected.events[0]?.time ?? Number.POSITIVE_INFINITY)).toBe(true);
          expect(queue.nextPayload).toBe(expected.events[0]?.payload ?? 0);
        };
        for (const each of steps) {
          if (each.kind === "push") {
            queue.push(each.time, each.payload);
            expected.push(each.time, each.payload);
          } else if (each.kind === "drop") {
            queue.drop();
            expected.events.shift();
          } else if (queue.size > 0) {
            queue.replace(each.time, each.payload);
            expected.events.shift();
            expected.push(each.time, each.payload);
          }
          check();
        }
        while (queue.size > 0) {
          queue.drop();
          expected.events.shift();
          check();
        }
      }),
      { numRuns: 500 },
    );
  });

  it("refuses a time that is not a number, and to replace what is not there", () => {
    const queue = createEventQueue();
    expect(() => queue.push(Number.NaN, 0)).toThrow(RangeError);
    expect(() => queue.replace(1, 0)).toThrow("empty");
    queue.push(1, 7);
    expect(() => queue.replace(Number.NaN, 0)).toThrow(RangeError);
    expect([queue.size, queue.nextTime, queue.nextPayload]).toEqual([1, 1, 7]);
  });
});
