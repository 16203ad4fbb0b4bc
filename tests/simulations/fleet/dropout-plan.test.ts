import { describe, expect, it } from "vitest";
import type { DeviceId } from "../../../shared/protocol/ids.ts";
import { DROPOUT_STAGES, dropoutPlan } from "../../../simulations/fleet/dropout-plan.ts";

const DEVICES = Array.from({ length: 100 }, (_, i) => `d-${i}` as DeviceId);
const drawAll = (seed: number, rate: number) => {
  const plan = dropoutPlan(seed, rate);
  return Array.from({ length: 40 }, (_, round) => DEVICES.map((device) => plan(round, device))).flat();
};

describe("who vanishes", () => {
  it("is the configured fraction of devices and rounds, over all stages, both silently and not", () => {
    const lost = drawAll(1, 0.2).filter((vanishing) => vanishing !== undefined);
    // 800 of 4,000 are expected; the standard deviation is 25.
    expect(Math.abs(lost.length - 800)).toBeLessThan(125);
    for (const stage of DROPOUT_STAGES) {
      expect(lost.filter((vanishing) => vanishing.stage === stage).length).toBeGreaterThan(60);
    }
    const silent = lost.filter((vanishing) => vanishing.silent).length;
    expect(Math.abs(silent - lost.length / 2)).toBeLessThan(75);
  });

  it("is the same for the same seed in any order of asking, and another for another", () => {
    const plan = dropoutPlan(1, 0.5);
    const forwards = DEVICES.map((device) => plan(3, device));
    const backwards = [...DEVICES].reverse().map((device) => plan(3, device));
    expect(backwards.reverse()).toEqual(forwards);
    expect(drawAll(2, 0.5)).not.toEqual(drawAll(1, 0.5));
  });

  it("is nobody at 0 and everybody at 1", () => {
    expect(drawAll(1, 0).every((vanishing) => vanishing === undefined)).toBe(true);
    expect(drawAll(1, 1).every((vanishing) => vanishing !== undefined)).toBe(true);
  });
});
