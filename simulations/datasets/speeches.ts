import { MurmurError } from "../../shared/protocol/errors.ts";

/** How a text says who speaks. */
export type SpeechFormat = "speaker-lines" | "plays";

/** By speaker, in order of appearance, the lines that they speak. */
export type Speeches = ReadonlyMap<string, readonly string[]>;

/**
 * - `speaker-lines`, as A. Karpathy's tiny-shakespeare: blocks between empty lines; a block's first line is the speaker's
 *   name and a colon, the others are spoken.
 *
 *       First Citizen:
 *       Before we proceed any further, hear me speak.
 *
 * - `plays`, as the Complete Works of Shakespeare of Project Gutenberg, which McMahan et al. 2017 and LEAF use: a speech
 *   begins two spaces in, with the speaker's name and a full stop, and goes on four spaces in. The line "by William
 *   Shakespeare" begins a play, whose title stands before it; a role of another play is another speaker. What is set
 *   otherwise, as The Comedy of Errors is, belongs to nobody.
 *
 *         BERTRAM. And I in going, madam, weep o'er my father's death anew;
 *         but I must attend his Majesty's command.
 * @param name what an error calls the text
 * @throws {MurmurError} `dataset-invalid` for a text in which nobody speaks.
 */
export function readSpeeches(text: string, format: SpeechFormat, name: string): Speeches {
  const lines = text.replace(/^\uFEFF/, "").split(/\r\n|\r|\n/);
  const speeches = format === "plays" ? readPlays(lines) : readSpeakerLines(lines, name);
  if (speeches.size > 0) return speeches;
  throw new MurmurError("dataset-invalid", `${name} holds no speeches in the format ${format}.`, {
    hint: "Choose the other `task.dataset.format`, speaker-lines or plays; docs/datasets.md shows both.",
  });
}

function readSpeakerLines(lines: readonly string[], name: string): Speeches {
  const speeches = new Map<string, string[]>();
  let speaker: string | undefined;
  let afterGap = true;
  for (const [i, line] of lines.entries()) {
    const text = line.trim();
    if (text === "") {
      afterGap = true;
      continue;
    }
    const called = afterGap ? /^([^:]+):$/.exec(text)?.[1] : undefined;
    afterGap = false;
    if (called !== undefined) speaker = called;
    else if (speaker !== undefined) add(speeches, speaker, text);
    else {
      throw new MurmurError("dataset-invalid", `${name}: line ${i + 1} is spoken by nobody.`, {
        hint: 'Each block begins with its speaker\'s name and a colon, on a line of its own: "First Citizen:".',
      });
    }
  }
  return speeches;
}

function readPlays(lines: readonly string[]): Speeches {
  const speeches = new Map<string, string[]>();
  let title = "";
  let speaker: string | undefined;
  let lastText = "";
  for (const line of lines) {
    const begun = /^ {2}([A-Za-z][A-Za-z ]*)\. (.+)$/.exec(line);
    const goesOn = /^ {4}(\S.*)$/.exec(line);
    if (begun !== null) {
      speaker = title === "" ? begun[1] : `${title}: ${begun[1]}`;
      add(speeches, speaker, begun[2].trim());
    } else if (goesOn !== null && speaker !== undefined) add(speeches, speaker, goesOn[1].trim());
    else speaker = undefined;
    if (line.trim() === "by William Shakespeare") title = lastText;
    if (line.trim() !== "") lastText = line.trim();
  }
  return speeches;
}

function add(speeches: Map<string, string[]>, speaker: string, line: string): void {
  const lines = speeches.get(speaker);
  if (lines === undefined) speeches.set(speaker, [line]);
  else lines.push(line);
}
