import fc from "fast-check";
import { expect, it } from "vitest";
import { rememberUploads } from "../../../client/storage/upload-memory.ts";
import { memoryJournal } from "../device-fixtures.ts";

const small = fc.nat({ max: 4 });
const uploads = fc.array(
  fc.record({ task: small, round: fc.nat({ max: 255 }), model: small, at: fc.integer({ min: -50, max: 50 }) }),
);

it("answers as a search through all uploads would, whatever order they and the clock came in", () => {
  fc.assert(
    fc.property(uploads, fc.integer({ min: -60, max: 60 }), (entries, since) => {
      const memory = rememberUploads();
      const slow = memoryJournal();
      for (const { task, round, model, at } of entries) {
        const entry = {
          taskId: new Uint8Array(16).fill(task),
          roundId: new Uint8Array(16).fill(round),
          modelHash: new Uint8Array(32).fill(model),
          at,
        };
        memory.add(entry);
        slow.record(entry);
      }
      expect(memory.uploadsSince(since)).toBe(slow.uploadsSince(since));
      for (let i = 0; i < 5; i++) {
        const task = new Uint8Array(16).fill(i);
        expect(memory.latestRound(task)).toEqual(slow.latestRound(task));
        const model = new Uint8Array(32).fill(i);
        expect(memory.hasUploaded(model)).toBe(slow.hasUploaded(model));
      }
    }),
  );
});
