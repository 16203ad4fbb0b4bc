import { readdirSync, readFileSync } from "node:fs";

/**
 * The device's program with one check taken out: what an attacker would wish for. Each has to make some test fail, or
 * the check is not tested, or not needed.
 */
export interface Mutant {
  /** `client/secagg/share.ts:57 order > 0` */
  readonly name: string;
  readonly file: string;
  /** The whole file, without the check. */
  readonly source: string;
}

const ROOT = new URL("../../", import.meta.url);

/** Every mutant of the device: `client/secagg/*.ts` and `client/device.ts`. */
export function deviceMutants(): Mutant[] {
  const files = readdirSync(new URL("client/secagg/", ROOT)).map((name) => `client/secagg/${name}`);
  return [...files.sort(), "client/device.ts"].flatMap((file) =>
    mutantsOf(file, readFileSync(new URL(file, ROOT), "utf8")),
  );
}

/** What a check does when it does not hold. */
const REFUSAL = /^\s*\{?\s*(throw new DeviceAbort\(|return (decline|breach)\(|return false;)/;

/**
 * For each `if (condition)` that leads to a refusal: the file in which the condition never holds, and, where it is a
 * disjunction, one file for each part that is left out. A refusal without a condition, in a `catch`, is left out whole.
 */
export function mutantsOf(file: string, source: string): Mutant[] {
  const mutants: Mutant[] = [];
  const guarded = new Set<number>();
  for (const { index } of source.matchAll(/\bif \(/g)) {
    const open = index + 3;
    const close = matching(source, open);
    const refusal = REFUSAL.exec(source.slice(close + 1));
    if (refusal === null) continue;
    guarded.add(close + 1 + refusal.index + refusal[0].length);
    const condition = source.slice(open + 1, close);
    mutants.push(mutant(open + 1, close, `false && (${condition})`, condition));
    const parts = disjuncts(condition);
    if (parts.length === 1) continue;
    for (const part of parts) {
      const others = parts.filter((other) => other !== part).join(" || ");
      mutants.push(mutant(open + 1, close, others, part));
    }
  }
  for (const { index, 0: text } of source.matchAll(/throw new DeviceAbort\(/g)) {
    if (guarded.has(index + text.length)) continue;
    mutants.push(mutant(index, index + "throw".length, "void", "throw"));
  }
  return mutants;

  function mutant(from: number, to: number, text: string, removed: string): Mutant {
    const line = source.slice(0, from).split("\n").length;
    const name = `${file}:${line} ${removed.replaceAll(/\s+/g, " ").trim()}`;
    return { name, file, source: source.slice(0, from) + text + source.slice(to) };
  }
}

/** Where the parenthesis at `open` closes. */
function matching(source: string, open: number): number {
  let depth = 0;
  for (let at = open; at < source.length; at++) {
    if (source[at] === "(") depth++;
    if (source[at] === ")" && --depth === 0) return at;
  }
  throw new Error(`a parenthesis at ${open} is not closed`);
}

/** The parts of a condition that `||` joins at its top level. */
function disjuncts(condition: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let start = 0;
  for (let at = 0; at < condition.length; at++) {
    if ("([{".includes(condition[at])) depth++;
    if (")]}".includes(condition[at])) depth--;
    if (depth > 0 || !condition.startsWith("||", at)) continue;
    parts.push(condition.slice(start, at).trim());
    start = at + 2;
  }
  parts.push(condition.slice(start).trim());
  return parts;
}
