import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { placeLongestFirst } from "../../../../simulations/fleet/training/placement.ts";

/** The least possible largest load, by trying every plan. */
function bestMakespan(sizes: readonly number[], workers: number): number {
  let best = Number.POSITIVE_INFINITY;
  function place(job: number, loads: readonly number[]): void {
    if (Math.max(...loads) >= best) return;
    if (job === sizes.length) {
      best = Math.max(...loads);
      return;
    }
    for (let worker = 0; worker < workers; worker++) {
      place(job + 1, loads.with(worker, loads[worker] + sizes[job]));
      // Workers that have done nothing yet are alike.
      if (loads[worker] === 0) break;
    }
  }
  place(0, new Array<number>(workers).fill(0));
  return best;
}

function makespan(sizes: readonly number[], plan: readonly (readonly number[])[]): number {
  return Math.max(...plan.map((jobs) => jobs.reduce((load, job) => load + sizes[job], 0)));
}

const sizes = (maxLength: number) => fc.array(fc.integer({ min: 1, max: 700 }), { maxLength });
const workers = fc.integer({ min: 1, max: 9 });

describe("longest-first placement", () => {
  it("gives every job to one worker, and to each its longest first", () => {
    fc.assert(
      fc.property(sizes(60), workers, (jobs, count) => {
        const plan = placeLongestFirst(jobs, count);
        expect(plan).toHaveLength(count);
        expect(plan.flat().sort((a, b) => a - b)).toEqual(jobs.map((_, job) => job));
        for (const part of plan) {
          for (let i = 1; i < part.length; i++) expect(jobs[part[i]]).toBeLessThanOrEqual(jobs[part[i - 1]]);
        }
      }),
    );
  });

  it("takes at most 4/3 − 1/(3m) of the time of the best plan (Graham 1969, theorem 2)", () => {
    fc.assert(
      fc.property(sizes(8), fc.integer({ min: 1, max: 4 }), (jobs, count) => {
        const bound = (4 / 3 - 1 / (3 * count)) * bestMakespan(jobs, count);
        expect(makespan(jobs, placeLongestFirst(jobs, count))).toBeLessThanOrEqual(bound + 1e-9);
      }),
    );
  });

  it("reaches that bound on Graham's own worst case: 2m + 1 jobs for m workers", () => {
    const jobs = [5, 5, 4, 4, 3, 3, 3];
    expect(makespan(jobs, placeLongestFirst(jobs, 3))).toBe(11);
    expect(bestMakespan(jobs, 3)).toBe(9);
  });

  it("is the same plan every time; the first of equal jobs goes to the first of equal workers", () => {
    fc.assert(
      fc.property(sizes(60), workers, (jobs, count) => {
        expect(placeLongestFirst(jobs, count)).toEqual(placeLongestFirst([...jobs], count));
      }),
    );
    expect(placeLongestFirst([600, 600, 600, 600, 600], 2)).toEqual([
      [0, 2, 4],
      [1, 3],
    ]);
  });
});
