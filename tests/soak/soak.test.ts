import { beforeAll, expect, it } from "vitest";
import { ensureBuilt } from "../cli/built-binary.ts";
import { soak } from "./soak.ts";

beforeAll(ensureBuilt);

// The long form: npm run soak -- --minutes 10
it("half a minute of rounds with devices that join and leave at random: nothing hangs, every loss has its reason", async () => {
  const result = await soak({ minutes: 0.5, seed: 3, onProgress: () => {} });
  expect(result.problems).toEqual([]);
  expect(result.committed).toBeGreaterThan(2);
  expect(Object.values(result.disturbances).reduce((sum, count) => sum + count, 0)).toBeGreaterThan(2);
  expect(Object.keys(result.drops).length).toBeGreaterThan(0);
}, 120_000);
