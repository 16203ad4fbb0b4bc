import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, expect, it } from "vitest";
import { ended, ensureBuilt, spawnMurmur } from "./built-binary.ts";

beforeAll(ensureBuilt);

it.each([["run", "--set", "task.dataset=blobs", "--set", "task.model=softmax", "--set", "round.count=1"], ["doctor"]])(
  "murmur %s leaves nothing in the home of whoever runs it: the engine's telemetry, which keeps a queue there, is off",
  async (...args) => {
    const cwd = mkdtempSync(join(tmpdir(), "murmur-silence-"));
    const home = join(cwd, "home");
    mkdirSync(home);
    try {
      await ended(spawnMurmur(args, cwd, { HOME: home }));
      expect(readdirSync(home)).toEqual([]);
    } finally {
      rmSync(cwd, { recursive: true, force: true });
    }
  },
  60_000,
);
