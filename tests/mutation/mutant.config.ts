import { defineConfig } from "vitest/config";
import base from "../../vitest.config.ts";
import { deviceMutants } from "./mutants.ts";

/** The attacks, against the device of which one check was taken out: the one that the environment names, or none. */
const wanted = process.env.MUTANT;
const mutant = deviceMutants().find(({ name }) => name === wanted);
if (wanted !== undefined && mutant === undefined) throw new Error(`there is no mutant ${wanted}`);

export default defineConfig({
  ...base,
  plugins: [
    {
      name: "mutant",
      enforce: "pre",
      transform: (_, id) => (mutant !== undefined && id.endsWith(`/${mutant.file}`) ? mutant.source : undefined),
    },
  ],
  test: {
    ...base.test,
    include: ["device-policy", "plaintext-mode", "roster-attacks", "cheating-coordinator", "requests-out-of-turn"].map(
      (name) => `tests/adversary/${name}.test.ts`,
    ),
    bail: 1,
    isolate: false,
    maxWorkers: 1,
    testTimeout: 10_000,
  },
});
