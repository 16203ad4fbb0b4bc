import { describe, expect, it } from "vitest";
import { createGathering } from "../../../server/selection/gathering.ts";

const gathering = () => createGathering({ need: 16, window: 1000, startedAt: 0 });

describe("a gathering", () => {
  it("is complete as soon as everybody is there", () => {
    expect(gathering().verdict(0, 100, 100)).toBe("all");
  });

  it("waits for the others while the window is open, then goes on with whoever is there", () => {
    const subject = gathering();
    expect(subject.verdict(0, 90, 100)).toBe("wait");
    expect(subject.deadline).toBe(1000);
    expect(subject.verdict(999, 99, 100)).toBe("wait");
    expect(subject.verdict(1000, 99, 100)).toBe("enough");
  });

  it("never begins with too few, however late it is", () => {
    const subject = gathering();
    expect(subject.verdict(0, 10, 100)).toBe("wait");
    expect(subject.deadline).toBeUndefined();
    expect(subject.verdict(1e9, 15, 15)).toBe("wait");
  });

  it("gives the others a whole window from when enough are there at last", () => {
    const subject = gathering();
    expect(subject.verdict(0, 10, 100)).toBe("wait");
    expect(subject.verdict(5000, 16, 100)).toBe("wait");
    expect(subject.deadline).toBe(6000);
    expect(subject.verdict(5999, 55, 100)).toBe("wait");
    expect(subject.verdict(6000, 55, 100)).toBe("enough");
  });

  it("begins anew when there are too few again", () => {
    const subject = gathering();
    subject.verdict(5000, 16, 100);
    expect(subject.verdict(5500, 15, 100)).toBe("wait");
    expect(subject.verdict(6500, 16, 100)).toBe("wait");
    expect(subject.deadline).toBe(7500);
  });
});
