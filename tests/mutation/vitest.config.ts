import { defineConfig } from "vitest/config";
import base from "../../vitest.config.ts";

/** Every mutant; `npm test` takes a sample. */
export default defineConfig({
  ...base,
  test: { ...base.test, include: ["tests/mutation/*.test.ts"], env: { MUTANTS: "all" }, maxConcurrency: 2 },
});
