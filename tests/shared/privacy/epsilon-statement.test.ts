import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type EpsilonStatement, epsilonText, roundedUp } from "../../../shared/privacy/epsilon-statement.ts";

const STATEMENT: EpsilonStatement = {
  epsilon: 1.9999,
  delta: 1e-5,
  unit: "device",
  adjacency: "add-or-remove-one",
  sampling: { kind: "poisson", rate: 0.1, rounds: 100 },
  accountant: "rdp",
  unamplified: { epsilon: 25.3752, participations: 100, enforced: false },
  simulation: false,
};

describe("an ε", () => {
  it("is never printed without what gives it a meaning", () => {
    expect(epsilonText(STATEMENT)).toBe(
      "ε = 2 at δ = 0.00001, per device (one device more or less), Poisson sampling at 0.1 over 100 rounds, Rényi accountant, without amplification ε = 25.38 for 100 participations, which is every round",
    );
    const simulated = epsilonText({ ...STATEMENT, simulation: true, colluders: 8 });
    expect(simulated).toMatch(/^ε of the mechanism \(simulation\): /);
    expect(simulated).toMatch(/against 8 colluding devices$/);
    const alone = { epsilon: 4.4, participations: 1, enforced: true };
    const once = epsilonText({ ...STATEMENT, adjacency: "zero-out", sampling: { kind: "none" }, unamplified: alone });
    expect(once).toContain("one device's update replaced by zero), no sampling");
    expect(once).toContain("for 1 participation, the most that a device takes part in");
  });

  it("is never rounded down, and what is a short decimal stays it", () => {
    expect([2, 2.0001, 0.1, 8.3, 100, 12.345, 0.01234, Number.POSITIVE_INFINITY].map(roundedUp)).toEqual([
      "2",
      "2.01",
      "0.1",
      "8.3",
      "100",
      "12.35",
      "0.0124",
      "∞",
    ]);
    fc.assert(
      fc.property(fc.double({ min: 1e-4, max: 1e4, noNaN: true }), (epsilon) => {
        const printed = Number(roundedUp(epsilon));
        expect(printed).toBeGreaterThanOrEqual(epsilon * (1 - 1e-11));
        expect(printed).toBeLessThanOrEqual(epsilon * 1.1 + 1e-9);
      }),
    );
  });
});
