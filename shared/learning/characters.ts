/**
 * The 80 characters of LEAF's Shakespeare (Caldas et al. 2018, arXiv 1812.01097; `ALL_LETTERS` of its
 * `language_utils.py`), in its order: a character's class is its place here.
 */
export const CHARACTERS = "\n !\"&'(),-.0123456789:;>?ABCDEFGHIJKLMNOPQRSTUVWXYZ[]abcdefghijklmnopqrstuvwxyz}";

/** Characters that a model of text sees before the one that it predicts, as in McMahan et al. 2017 and in LEAF. */
export const CONTEXT_LENGTH = 80;

const CLASSES: ReadonlyMap<string, number> = new Map([...CHARACTERS].map((character, index) => [character, index]));
const SPACE = CHARACTERS.indexOf(" ");

/** The class of a character; one that is not listed counts as a space. */
export function characterClass(character: string): number {
  return CLASSES.get(character) ?? SPACE;
}
