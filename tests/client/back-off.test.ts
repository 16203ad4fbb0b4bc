import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createBackOff, drawReturn, secureUniform } from "../../client/back-off.ts";
import { cryptoProvider } from "../../shared/crypto/node-provider.ts";

const uniform = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

describe("back-off", () => {
  it("stays below a ceiling that doubles from a quarter of a second to half a minute", () => {
    fc.assert(
      fc.property(fc.array(uniform, { minLength: 1, maxLength: 40 }), (draws) => {
        let drawn = 0;
        const backOff = createBackOff(() => draws[drawn++]);
        for (let failure = 0; failure < draws.length; failure++) {
          const wait = backOff.next();
          expect(Number.isSafeInteger(wait)).toBe(true);
          expect(wait).toBeGreaterThanOrEqual(0);
          expect(wait).toBeLessThan(Math.min(30_000, 250 * 2 ** failure));
        }
      }),
    );
  });

  it("reaches up to its ceiling, however many failures came before", () => {
    const backOff = createBackOff(() => 1 - 2 ** -53);
    expect(Array.from({ length: 9 }, backOff.next)).toEqual([249, 499, 999, 1999, 3999, 7999, 15_999, 29_999, 29_999]);
    for (let failure = 0; failure < 5000; failure++) expect(backOff.next()).toBeLessThan(30_000);
  });

  it("begins again after a success", () => {
    const backOff = createBackOff(() => 0.5);
    for (let failure = 0; failure < 6; failure++) backOff.next();
    backOff.reset();
    expect(backOff.next()).toBe(125);
  });

  it("spreads devices that were lost at one moment", () => {
    const fleet = Array.from({ length: 400 }, () => createBackOff(secureUniform(cryptoProvider.random)));
    for (const device of fleet) for (let failure = 0; failure < 5; failure++) device.next();
    const waits = fleet.map((device) => device.next());
    const quarters = [0, 1, 2, 3].map((quarter) => waits.filter((wait) => Math.floor(wait / 2000) === quarter).length);
    expect(Math.min(...quarters)).toBeGreaterThan(50);
  });
});

describe("a return", () => {
  it("is a whole millisecond in the window, both ends included", () => {
    fc.assert(
      fc.property(fc.nat({ max: 2 ** 32 - 1 }), fc.nat({ max: 2 ** 32 - 1 }), uniform, (a, b, drawn) => {
        const window = { min: Math.min(a, b), max: Math.max(a, b) };
        const moment = drawReturn(window, () => drawn);
        expect(Number.isSafeInteger(moment)).toBe(true);
        expect(moment).toBeGreaterThanOrEqual(window.min);
        expect(moment).toBeLessThanOrEqual(window.max);
      }),
    );
    expect(drawReturn({ min: 5, max: 7 }, () => 0)).toBe(5);
    expect(drawReturn({ min: 5, max: 7 }, () => 1 - 2 ** -53)).toBe(7);
  });
});

it("draws numbers below one from all 53 bits", () => {
  const bytes = (byte: number) => ({
    kind: "secure" as const,
    bytes: (length: number) => new Uint8Array(length).fill(byte),
  });
  expect(secureUniform(bytes(0))()).toBe(0);
  expect(secureUniform(bytes(255))()).toBe(1 - 2 ** -53);
});
