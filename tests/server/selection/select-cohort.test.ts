import { describe, expect, it } from "vitest";
import { selectCohort } from "../../../server/selection/select-cohort.ts";
import type { DeviceId } from "../../../shared/protocol/ids.ts";
import { seededRandom } from "../../../shared/random/seeded-random.ts";

const FLEET = Array.from({ length: 20 }, (_, i) => `d-${String(i).padStart(2, "0")}` as DeviceId);
const draw = (round: number, invited = 5, eligible: readonly DeviceId[] = FLEET) =>
  selectCohort(eligible, invited, seededRandom(1, "selection", round));

describe("selecting a cohort", () => {
  it("depends on the seed and on who is eligible, not on the order they are listed in", () => {
    expect(draw(1, 5, [...FLEET].reverse())).toEqual(draw(1));
    expect(draw(2)).not.toEqual(draw(1));
  });

  it("draws nobody twice, and everybody when there are not more", () => {
    expect(new Set(draw(1, 20))).toEqual(new Set(FLEET));
    expect(new Set(draw(1, 26))).toEqual(new Set(FLEET));
    expect(draw(1, 26)).toHaveLength(20);
    expect(draw(1, 5, [])).toEqual([]);
  });

  it("gives every device the same chance", () => {
    const counts = new Map<DeviceId, number>(FLEET.map((device) => [device, 0]));
    for (let round = 0; round < 4000; round++) {
      for (const device of draw(round)) counts.set(device, (counts.get(device) ?? 0) + 1);
    }
    // 1,000 each is expected; the standard deviation is 27, and five of them are allowed.
    for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(140);
  });

  it("changes no list that it was given", () => {
    const eligible = [...FLEET].reverse();
    draw(1, 5, eligible);
    expect(eligible).toEqual([...FLEET].reverse());
  });
});
