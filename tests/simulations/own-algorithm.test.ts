import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Algorithm } from "../../shared/learning/algorithms/index.ts";
import { runConfigSchema } from "../../simulations/experiments/config.ts";
import { loadAlgorithm } from "../../simulations/experiments/load-algorithm.ts";
import { folderWith } from "./datasets/dataset-folder.ts";

/** Half of every second mean update is taken. */
const OWN = `export function algorithm({ options, devices }) {
  return {
    name: "half of every second, for " + devices,
    init: (parameters) => ({ parameters, round: 0 }),
    next({ parameters, round }, { delta }) {
      const rate = round % 2 === 0 ? options.rate : 0;
      return { parameters: parameters.map((value, i) => value + rate * delta[i]), round: round + 1 };
    },
    encode: ({ round }) => Uint8Array.of(round),
    decode: (parameters, bytes) => ({ parameters, round: bytes[0] }),
  };
}
`;

function load(text: string): Promise<Algorithm> {
  const path = join(folderWith({ "own.mjs": text }), "own.mjs");
  const algorithm = { kind: "module", path, options: { rate: 0.5 } } as const;
  return loadAlgorithm(runConfigSchema.parse({ algorithm }), Float32Array.of(1, 2));
}

describe("an algorithm of one's own", () => {
  it("goes from state to state with its options, and its state survives a checkpoint", async () => {
    const own = await load(OWN);
    expect(own.name).toBe("half of every second, for 100");
    const aggregate = { delta: Float32Array.of(2, -2), weight: 5, survivors: 3 };
    const first = own.next(own.init(Float32Array.of(1, 2)), aggregate);
    expect(own.broadcast(first)).toEqual(Float32Array.of(2, 1));
    const again = own.next(own.decode(first.parameters, own.encode(first)), aggregate);
    expect(again.parameters).toEqual(Float32Array.of(2, 1));
    expect(own.next(again, aggregate).parameters).toEqual(Float32Array.of(3, 0));
  });

  it.each([
    ["it is a number", "export const algorithm = 1;", /neither an algorithm nor a function/],
    ["its function throws", 'export function algorithm() { throw new Error("no"); }', /failed: no\.$/],
    ["it lacks a function", OWN.replace("next(", "nxet("), /has no function next\.$/],
    [
      "its first state has no parameters",
      OWN.replace("({ parameters, round: 0 })", "({ round: 0 })"),
      /from init no state/,
    ],
    [
      "it makes a list of the parameters",
      OWN.replace("parameters.map(", "[...parameters].map("),
      /from next no state with 2/,
    ],
    [
      "it makes more parameters",
      OWN.replace("parameters: parameters.map", "parameters: new Float32Array(3).map"),
      /from next no/,
    ],
    ["a step throws", OWN.replace("const rate", "options.nothing.at(); const rate"), /next failed: Cannot read/],
    ["its state is no bytes", OWN.replace("Uint8Array.of(round)", "[round]"), /from encode no Uint8Array\.$/],
    ["it loses its state", OWN.replace("round: bytes[0]", "round: 0"), /decodes another state than it encoded/],
    [
      "it changes a state in place",
      OWN.replace("const rate", "parameters[0] += 1; const rate"),
      /changes the parameters of a state in next/,
    ],
  ])("is refused because %s", async (_, text, message) => {
    await expect(load(text)).rejects.toMatchObject({
      name: "module-invalid",
      message: expect.stringMatching(message),
      hint: expect.stringContaining("docs/your-own.md"),
    });
  });
});
