import { describe, expect, it } from "vitest";
import { steadyClock } from "../../../shared/time/steady-clock.ts";

function machine() {
  const time = { wall: 1_000_000, monotonic: 50 };
  const clock = steadyClock({
    wall: () => time.wall,
    monotonic: () => time.monotonic,
    after: () => () => {},
  });
  return { time, clock };
}

describe("a steady clock", () => {
  it("tells the machine's time as long as nobody sets it", () => {
    const { time, clock } = machine();
    expect(clock.now()).toBe(1_000_000);
    time.wall += 10;
    time.monotonic += 10;
    expect(clock.now()).toBe(1_000_010);
    expect(clock.anchor()).toBe(0);
  });

  it.each([3_600_000, -3_600_000])("does not leap when the machine's is set by %d ms", (leap) => {
    const { time, clock } = machine();
    time.wall += leap + 5;
    time.monotonic += 5;
    expect(clock.now()).toBe(1_000_005);
    expect(clock.anchor()).toBe(leap);
    expect(clock.now()).toBe(1_000_005 + leap);
    expect(clock.anchor()).toBe(0);
  });
});
