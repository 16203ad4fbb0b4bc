import { basename } from "node:path";
import { CHARACTERS, CONTEXT_LENGTH, characterClass } from "../../shared/learning/characters.ts";
import { MurmurError } from "../../shared/protocol/errors.ts";
import { type Dataset, datasetHash } from "./dataset.ts";
import type { ExampleSet } from "./example-set.ts";
import { readDatasetFile } from "./files.ts";
import { readSpeeches, type Speeches, type SpeechFormat } from "./speeches.ts";

export interface TextSpec {
  readonly file: string;
  readonly format: SpeechFormat;
  /** Windows of the test part that are evaluated on, evenly spaced over it. */
  readonly testWindows: number;
}

/** Of a speaker's lines, the first so many are learnt from (McMahan et al. 2017, section 3). */
const TRAIN_FRACTION = 0.8;

/**
 * Next-character prediction on what people say in a text: an example is 80 characters of one speaker and the character
 * that follows; a speaker's lines are one stream, of which the first 80 % are for training and the rest, a line at least,
 * for testing (McMahan et al. 2017, section 3, "Shakespeare"; windows as in LEAF, Caldas et al. 2018). Speakers whose
 * training part is not longer than a window are left out.
 *
 *     values  … First Citizen's lines …|… All's lines …      one byte a character, the class of shared/learning/characters
 *     rows    0 1 2 3 …                                      window i is values[rows[i] … rows[i] + 80), its label the next
 * @throws {MurmurError} `dataset-invalid`
 */
export async function loadCharacterStreams({ file, format, testWindows }: TextSpec): Promise<Dataset> {
  const { bytes } = await readDatasetFile(file, howToGet(file));
  const speeches = readSpeeches(new TextDecoder().decode(bytes), format, file);
  const { keyNames, train, test } = streams(speeches);
  if (keyNames.length === 0) {
    throw new MurmurError("dataset-invalid", `${file}: nobody says more than ${CONTEXT_LENGTH} characters.`, {
      hint: "Take a longer text.",
    });
  }
  const trainSet = windows(train);
  const testSet = thinned(windows(test), testWindows);
  if (testSet.count === 0) {
    throw new MurmurError(
      "dataset-invalid",
      `${file}: nobody's last lines are longer than ${CONTEXT_LENGTH} characters.`,
      {
        hint: "Take a longer text.",
      },
    );
  }
  return {
    name: basename(file),
    labels: "classes",
    outputs: CHARACTERS.length,
    inputShape: [CONTEXT_LENGTH],
    train: trainSet,
    test: testSet,
    keyNames,
    classNames: [...CHARACTERS],
    sha256: datasetHash(trainSet, testSet),
  };
}

/** Per speaker that has a window to learn from, the classes of their characters. */
function streams(speeches: Speeches): { keyNames: string[]; train: Uint8Array[]; test: Uint8Array[] } {
  const keyNames: string[] = [];
  const train: Uint8Array[] = [];
  const test: Uint8Array[] = [];
  for (const [speaker, lines] of speeches) {
    const trained = Math.min(Math.floor(lines.length * TRAIN_FRACTION), lines.length - 1);
    const stream = classesOf(lines.slice(0, trained));
    if (stream.length <= CONTEXT_LENGTH) continue;
    keyNames.push(speaker);
    train.push(stream);
    test.push(classesOf(lines.slice(trained)));
  }
  return { keyNames, train, test };
}

function classesOf(lines: readonly string[]): Uint8Array {
  return Uint8Array.from([...lines.join("\n")], characterClass);
}

/** Every window of the streams, stream by stream; stream k belongs to owner k. */
function windows(parts: readonly Uint8Array[]): ExampleSet {
  const values = new Uint8Array(parts.reduce((length, { length: more }) => length + more, 0));
  const count = parts.reduce((sum, { length }) => sum + Math.max(0, length - CONTEXT_LENGTH), 0);
  const rows = new Int32Array(count);
  const labels = new Uint8Array(count);
  const keys = new Int32Array(count);
  let start = 0;
  let window = 0;
  for (const [owner, part] of parts.entries()) {
    values.set(part, start);
    for (let at = 0; at + CONTEXT_LENGTH < part.length; at++) {
      rows[window] = start + at;
      labels[window] = part[at + CONTEXT_LENGTH];
      keys[window] = owner;
      window++;
    }
    start += part.length;
  }
  return { values, scale: 1, rows, labels, count, inputShape: [CONTEXT_LENGTH], keys };
}

/** At most `most` of the examples, evenly spaced. */
function thinned(set: ExampleSet, most: number): ExampleSet {
  if (set.count <= most) return set;
  const kept = Int32Array.from({ length: most }, (_, i) => Math.floor((i * set.count) / most));
  const { rows, keys, labels } = set;
  return {
    ...set,
    count: most,
    ...(rows === undefined ? {} : { rows: kept.map((index) => rows[index]) }),
    ...(keys === undefined ? {} : { keys: kept.map((index) => keys[index]) }),
    labels: Uint8Array.from(kept, (index) => labels[index]),
  };
}

function howToGet(file: string): string {
  return `Any text by speakers will do. Tiny Shakespeare (1.1 MB): curl -fL --create-dirs -o '${file}' 'https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt'.`;
}
