import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { allExamples, loadDataset } from "../../../simulations/datasets/index.ts";
import type { TableSpec } from "../../../simulations/datasets/table.ts";
import { folderWith } from "./dataset-folder.ts";

const PEOPLE = `age,"work, kind",town,income
39,state,Bern,<=50K
50,"self, inc",Thun,>50K
38,state,Thun,<=50K

52,private,Bern,>50K
`;
const SPEC = {
  label: "income",
  numeric: ["age"],
  categorical: ["work, kind"],
  standardise: {},
  key: "town",
  test: 0.25,
  delimiter: ",",
} as const;

function load(text: string, spec: Partial<Omit<TableSpec, "file" | "testFile">> = SPEC, test?: string, seed = 0) {
  const folder = folderWith({ "people.csv": text, ...(test === undefined ? {} : { "test.csv": test }) });
  return loadDataset(
    {
      kind: "csv",
      file: join(folder, "people.csv"),
      ...(test === undefined ? {} : { testFile: join(folder, "test.csv") }),
      test: 0.25,
      numeric: [],
      categorical: [],
      standardise: {},
      delimiter: ",",
      ...spec,
    },
    seed,
  );
}

describe("a table", () => {
  it("feeds numbers as they are and categories one-hot, names classes and owners", async () => {
    const dataset = await load(PEOPLE, SPEC, PEOPLE);
    expect(dataset).toMatchObject({
      name: "people.csv",
      labels: "classes",
      outputs: 2,
      inputShape: [4],
      classNames: ["<=50K", ">50K"],
      keyNames: ["Bern", "Thun"],
    });
    const { inputs, labels } = allExamples(dataset.train);
    // Categories in order: private; self, inc; state.
    expect([...inputs]).toEqual([39, 0, 0, 1, 50, 0, 1, 0, 38, 0, 0, 1, 52, 1, 0, 0]);
    expect(labels).toEqual(Int32Array.of(0, 1, 0, 1));
    expect(dataset.train.keys).toEqual(Int32Array.of(0, 1, 1, 0));
  });

  it("takes test rows by the seed, and every row once", async () => {
    const ages = (set: Parameters<typeof allExamples>[0]) => [...allExamples(set).inputs].filter((_, i) => i % 4 === 0);
    const once = await load(PEOPLE);
    expect([once.train.count, once.test.count]).toEqual([3, 1]);
    expect([...ages(once.train), ...ages(once.test)].sort()).toEqual([38, 39, 50, 52]);
    expect((await load(PEOPLE)).sha256).toBe(once.sha256);
    const others = await Promise.all([1, 2, 3, 4, 5].map((seed) => load(PEOPLE, SPEC, undefined, seed)));
    expect(new Set(others.map(({ test }) => ages(test)[0])).size).toBeGreaterThan(1);
    await expect(load(PEOPLE, { ...SPEC, test: 0.01 })).rejects.toThrow(/0 of its 4 rows would be test examples/);
  });

  it("standardises with the statistics that it is given", async () => {
    const spec = { ...SPEC, categorical: [], standardise: { age: { mean: 40, deviation: 4 } } };
    const { train } = await load(PEOPLE, spec, PEOPLE);
    expect([...allExamples(train).inputs]).toEqual([-0.25, 2.5, -0.5, 3]);
    const stray = { ...SPEC, standardise: { town: { mean: 0, deviation: 1 } } };
    await expect(load(PEOPLE, stray)).rejects.toThrow(/"town" is standardised and no numeric column/);
  });

  it("may have targets instead of classes, several of them", async () => {
    const spec = { targets: ["y", "z"], numeric: ["x"] };
    const dataset = await load("x;y;z\n1;2;-.5\n3;4e1;6\n", { ...spec, delimiter: ";" }, "x;y;z\n5;6;7\n");
    expect(dataset).toMatchObject({ labels: "targets", outputs: 2, inputShape: [1] });
    expect(allExamples(dataset.train).labels).toEqual(Float32Array.of(2, -0.5, 40, 6));
  });

  it("puts classes that are numbers in order of size", async () => {
    const dataset = await load("x,y\n1,10\n2,9\n3,10\n", { label: "y", numeric: ["x"] }, "x,y\n4,9\n");
    expect(dataset.classNames).toEqual(["9", "10"]);
  });

  it.each([
    ["a missing value", PEOPLE.replace("38,state", ",state"), SPEC, /empty cell in line 4, column "age"/],
    ["what is no number", PEOPLE.replace("38,", "n/a,"), SPEC, /has "n\/a" for a number in line 4, column "age"/],
    ["hexadecimal", PEOPLE.replace("38,", "0x26,"), SPEC, /"0x26" for a number/],
    ["a number too large for a float", PEOPLE.replace("38,", "1e39,"), SPEC, /"1e39" for a number/],
    ["a column that is not there", PEOPLE, { ...SPEC, numeric: ["agee"] }, /has no column "agee"/],
    ["no column of inputs", PEOPLE, { ...SPEC, numeric: [], categorical: [] }, /no column is named as an input/],
    ["a short line", `${PEOPLE}40,state\n`, SPEC, /is no CSV file: .*line 7/],
    ["an open quote", `${PEOPLE}40,"state,Bern,<=50K\n`, SPEC, /is no CSV file/],
    ["two columns of one name", PEOPLE.replace("town", "age"), SPEC, /has two columns "age"/],
    ["no rows", "age,income\n", SPEC, /holds no rows/],
  ])("is refused for %s", async (_, text, spec, message) => {
    await expect(load(text, spec)).rejects.toMatchObject({
      name: "dataset-invalid",
      message: expect.stringMatching(message),
    });
  });

  it("suggests the column that was meant", async () => {
    await expect(load(PEOPLE, { ...SPEC, numeric: ["agee"] })).rejects.toMatchObject({ hint: 'Did you mean "age"?' });
  });
});
