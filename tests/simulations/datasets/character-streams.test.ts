import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { CHARACTERS } from "../../../shared/learning/characters.ts";
import { allExamples, type Dataset, gatherExamples, loadDataset } from "../../../simulations/datasets/index.ts";
import { readSpeeches } from "../../../simulations/datasets/speeches.ts";
import { folderWith } from "./dataset-folder.ts";

const TINY = `First Citizen:
Before we proceed any further, hear me speak.

All:
Speak, speak.

First Citizen:
You are all resolved:
rather to die than to famish?
`;

const PLAYS = `1603

THE FIRST PLAY

by William Shakespeare

  KING. So shaken as we are,
    so wan with care,
                                        Exit
    nobody says this
  LADY A. Alas!

THE SECOND PLAY

by William Shakespeare

  KING. Peace.
`;

describe("speeches", () => {
  it("are told apart by lines with a name and a colon that begin a block", () => {
    expect([...readSpeeches(TINY.replaceAll("\n", "\r\n"), "speaker-lines", "t")]).toEqual([
      [
        "First Citizen",
        ["Before we proceed any further, hear me speak.", "You are all resolved:", "rather to die than to famish?"],
      ],
      ["All", ["Speak, speak."]],
    ]);
  });

  it("are told apart by indentation in plays, where a role of another play is another speaker", () => {
    expect([...readSpeeches(PLAYS, "plays", "t")]).toEqual([
      ["THE FIRST PLAY: KING", ["So shaken as we are,", "so wan with care,"]],
      ["THE FIRST PLAY: LADY A", ["Alas!"]],
      ["THE SECOND PLAY: KING", ["Peace."]],
    ]);
  });

  it("are refused where nobody speaks", () => {
    expect(() => readSpeeches(`hear me\n${TINY}`, "speaker-lines", "t")).toThrow(/^t: line 1 is spoken by nobody\.$/);
    expect(() => readSpeeches(TINY, "plays", "t")).toThrow(/holds no speeches in the format plays/);
  });
});

describe("character streams", () => {
  // Lines of ten characters.
  const stanza = (letter: string, lines = 10) => new Array<string>(lines).fill(letter.repeat(10)).join("\n");
  const load = (text: string, testWindows = 2000): Promise<Dataset> =>
    loadDataset(
      { kind: "text", file: join(folderWith({ "t.txt": text }), "t.txt"), format: "speaker-lines", testWindows },
      0,
    );
  const speaking = `A:\n${stanza("a", 50)}\n\nB:\n${stanza("b", 60)}\n\nSILENT:\n${stanza("s", 3)}\n`;

  it("are windows of 80 characters and the next, by speaker, the last fifth of the lines for testing", async () => {
    const dataset = await load(speaking);
    expect(dataset).toMatchObject({ labels: "classes", outputs: CHARACTERS.length, inputShape: [80] });
    expect(dataset.keyNames).toEqual(["A", "B"]);
    // 40 lines are 439 characters with the ends of lines between them, 48 are 527; 10 and 12 lines 109 and 131.
    expect([dataset.train.count, dataset.test.count]).toEqual([439 - 80 + (527 - 80), 109 - 80 + (131 - 80)]);
    const text = (inputs: Float32Array) => [...inputs].map((code) => CHARACTERS[code]).join("");
    const first = gatherExamples(dataset.train, [3]);
    expect(text(first.inputs)).toBe(stanza("a").slice(3, 83));
    expect(CHARACTERS[first.labels[0]]).toBe(stanza("a")[83]);
    const { inputs } = gatherExamples(dataset.train, [359, 805]);
    expect(text(inputs)).toBe(stanza("b", 50).slice(0, 80) + stanza("b", 60).slice(446, 526));
    expect([dataset.train.keys?.[358], dataset.train.keys?.[359]]).toEqual([0, 1]);
  });

  it("are evaluated on windows that are evenly spaced, where there are many", async () => {
    const all = await load(speaking);
    const some = await load(speaking, 20);
    expect(some.test.count).toBe(20);
    expect(gatherExamples(some.test, [10])).toEqual(gatherExamples(all.test, [40]));
    expect(allExamples(some.test).labels.length).toBe(20);
  });

  it("are refused where nobody says enough, with where to get a text", async () => {
    await expect(load(TINY)).rejects.toThrow(/nobody says more than 80 characters/);
    const missing = { kind: "text", file: "/nowhere/t.txt", format: "speaker-lines", testWindows: 1 } as const;
    await expect(loadDataset(missing, 0)).rejects.toMatchObject({
      name: "dataset-invalid",
      hint: expect.stringContaining("curl"),
    });
  });
});
