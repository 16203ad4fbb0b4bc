import { createHash, randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { SecureRandom } from "../../../shared/random/secure-random.ts";
import { decodeShares } from "../../../shared/secagg/error-correction.ts";
import { createWeightCache, type Share, ShareError, splitSecret } from "../../../shared/secagg/secret-sharing.ts";
import { slowInterpolate } from "./slow-galois-field.ts";

const system: SecureRandom = { kind: "secure", bytes: (length) => new Uint8Array(randomBytes(length)) };

/** Adds a non-zero pattern to the given byte positions of the shares at the given slots. */
function spoil(shares: readonly Share[], slots: readonly number[], positions: readonly number[], seed = 1): Share[] {
  return shares.map(({ slot, value }) => {
    const copy = value.slice();
    if (slots.includes(slot)) for (const at of positions) copy[at] ^= 1 + ((slot * 53 + at * 17 + seed * 91) % 255);
    return { slot, value: copy };
  });
}

const everyByte = Array.from({ length: 32 }, (_, i) => i);

/** All subsets of `items` with `size` members. */
function subsets<T>(items: readonly T[], size: number): T[][] {
  if (size === 0) return [[]];
  return items.flatMap((item, i) => subsets(items.slice(i + 1), size - 1).map((rest) => [item, ...rest]));
}

/**
 * What a decoder should find, by brute force: for one byte position, every polynomial of degree below t that some t shares
 * lie on, with the slots that disagree.
 */
function candidates(shares: readonly Share[], threshold: number, position: number) {
  const found = new Map<string, { secret: number; wrong: number[] }>();
  for (const basis of subsets(shares, threshold)) {
    const points = basis.map(({ slot, value }) => [slot, value[position]] as const);
    const wrong = shares
      .filter(({ slot, value }) => slowInterpolate(points, slot) !== value[position])
      .map(({ slot }) => slot);
    const secret = slowInterpolate(points, 0);
    found.set(`${secret} ${wrong}`, { secret, wrong });
  }
  return [...found.values()];
}

describe("decoding shares of which some are wrong", () => {
  it("corrects every pattern of wrong holders up to ⌊(m - t)/2⌋, and names them", () => {
    for (const [threshold, count] of [
      [2, 3],
      [2, 4],
      [2, 6],
      [3, 7],
      [4, 8],
      [3, 9],
    ]) {
      const secret = system.bytes(32);
      const shares = splitSecret(secret, threshold, count, system);
      const slots = shares.map(({ slot }) => slot);
      for (let wrong = 0; wrong <= (count - threshold) >> 1; wrong++) {
        for (const liars of subsets(slots, wrong)) {
          expect(decodeShares(spoil(shares, liars, everyByte), threshold)).toEqual({ ok: true, secret, wrong: liars });
        }
      }
    }
  });

  it("finds a holder that lies in one byte only, whichever byte it is", () => {
    const secret = system.bytes(32);
    const shares = splitSecret(secret, 3, 5, system);
    for (const position of everyByte) {
      for (const liar of [1, 2, 3, 4, 5]) {
        expect(decodeShares(spoil(shares, [liar], [position]), 3)).toEqual({ ok: true, secret, wrong: [liar] });
      }
    }
  });

  it("decodes when different holders lie in different bytes, more of them in all than any byte could bear", () => {
    const secret = system.bytes(32);
    // One error a byte is correctable here, and four of the five holders lie somewhere.
    let shares = splitSecret(secret, 3, 5, system);
    for (const [liar, position] of [
      [1, 0],
      [2, 9],
      [4, 31],
      [5, 10],
    ]) {
      shares = spoil(shares, [liar], [position]);
    }
    expect(decodeShares(shares, 3)).toEqual({ ok: true, secret, wrong: [1, 2, 4, 5] });
  });

  it("counts shares that never came once, and wrong ones twice", () => {
    const secret = system.bytes(32);
    const shares = splitSecret(secret, 16, 26, system);
    // k = 26, t = 16: ten missing, or five wrong, or four missing and three wrong.
    expect(decodeShares(shares.slice(10), 16)).toEqual({ ok: true, secret, wrong: [] });
    const liars = [3, 8, 14, 20, 26];
    expect(decodeShares(spoil(shares, liars, everyByte), 16)).toEqual({ ok: true, secret, wrong: liars });
    expect(decodeShares(spoil(shares.slice(4), [5, 6, 20], everyByte), 16)).toEqual({
      ok: true,
      secret,
      wrong: [5, 6, 20],
    });
  });

  it("decodes at random sizes, with random liars in random bytes and any order of arrival", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 60 }).chain((m) => fc.tuple(fc.integer({ min: 2, max: m }), fc.constant(m))),
        fc.nat(),
        fc.uniqueArray(fc.integer({ min: 0, max: 31 }), { minLength: 1, maxLength: 32 }),
        ([threshold, count], seed, positions) => {
          const secret = system.bytes(32);
          const order = (slot: number) => createHash("sha256").update(`${seed} ${slot}`).digest("hex");
          const shares = splitSecret(secret, threshold, count, system).sort((a, b) =>
            order(a.slot) < order(b.slot) ? -1 : 1,
          );
          const liars = shares.slice(0, (seed % (1 + count - threshold)) >> 1).map(({ slot }) => slot);
          const arrived = [...spoil(shares, liars, positions, seed)].reverse();
          expect(decodeShares(arrived, threshold, createWeightCache())).toEqual({
            ok: true,
            secret,
            wrong: [...liars].sort((a, b) => a - b),
          });
        },
      ),
      { numRuns: 120 },
    );
  });

  it("agrees with brute force byte by byte, also past the bound", () => {
    let failures = 0;
    let corrections = 0;
    for (let run = 0; run < 120; run++) {
      const [threshold, count] = [
        [2, 5],
        [3, 6],
        [2, 4],
        [3, 7],
      ][run % 4];
      const bound = (count - threshold) >> 1;
      const shares = splitSecret(system.bytes(32), threshold, count, system);
      const liars = subsets(
        shares.map(({ slot }) => slot),
        bound + 1,
      )[run % 4];
      // One byte is enough to look at, and keeps a failure anywhere from hiding the others.
      const spoilt = spoil(shares, liars, [run % 32], run);
      const near = candidates(spoilt, threshold, run % 32).filter(({ wrong }) => wrong.length <= bound);
      const decoded = decodeShares(spoilt, threshold);
      expect(near.length).toBeLessThanOrEqual(1);
      expect(decoded.ok).toBe(near.length === 1);
      if (decoded.ok) {
        corrections++;
        expect(decoded.secret[run % 32]).toBe(near[0].secret);
        expect(decoded.wrong).toEqual(near[0].wrong);
      } else failures++;
    }
    expect(failures).toBeGreaterThan(0);
    expect(failures + corrections).toBe(120);
  });

  it("never passes off the truth's neighbours as the truth: one error past the bound fails or gives another secret", () => {
    const secret = system.bytes(32);
    const shares = splitSecret(secret, 3, 7, system);
    for (const liars of subsets([1, 2, 3, 4, 5, 6, 7], 3)) {
      const decoded = decodeShares(spoil(shares, liars, everyByte), 3);
      // What the caller's commitment check then catches: the secret is not the one that was shared.
      if (decoded.ok) expect(decoded.secret).not.toEqual(secret);
    }
  });

  it("gives in to liars past the bound who agree with each other, which is why the secret is checked afterwards", () => {
    const secret = system.bytes(32);
    const other = system.bytes(32);
    const honest = splitSecret(secret, 3, 7, system);
    const invented = splitSecret(other, 3, 7, system);
    const shares = honest.map((share, i) => (i < 5 ? invented[i] : share));
    expect(decodeShares(shares, 3)).toEqual({ ok: true, secret: other, wrong: [6, 7] });
  });

  it("corrects nothing when exactly t shares came: they always agree", () => {
    const secret = system.bytes(32);
    const shares = splitSecret(secret, 4, 6, system).slice(0, 4);
    expect(decodeShares(shares, 4)).toEqual({ ok: true, secret, wrong: [] });
    const decoded = decodeShares(spoil(shares, [2], [5]), 4);
    expect(decoded).toMatchObject({ ok: true, wrong: [] });
    expect(decoded.ok && decoded.secret).not.toEqual(secret);
  });

  it("handles secrets and shares of nothing but zeros", () => {
    const zeros = Array.from({ length: 6 }, (_, i) => ({ slot: i + 1, value: new Uint8Array(32) }));
    expect(decodeShares(zeros, 2)).toEqual({ ok: true, secret: new Uint8Array(32), wrong: [] });
    expect(decodeShares(spoil(zeros, [1, 4], everyByte), 2)).toEqual({
      ok: true,
      secret: new Uint8Array(32),
      wrong: [1, 4],
    });
  });

  it.each([
    ["too few shares", (shares: Share[]) => shares.slice(0, 2)],
    ["a short share", (shares: Share[]) => [...shares.slice(1), { slot: 1, value: new Uint8Array(31) }]],
    ["a slot twice", (shares: Share[]) => [...shares, shares[0]]],
    ["a share at zero", (shares: Share[]) => [...shares, { slot: 0, value: new Uint8Array(32) }]],
  ])("refuses %s", (_, change) => {
    expect(() => decodeShares(change(splitSecret(new Uint8Array(32), 3, 5, system)), 3)).toThrow(ShareError);
  });
});
