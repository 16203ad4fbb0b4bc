import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Each file that a run's SHA256SUMS lists, and whether it still is what it was. Empty where there is no list. */
export function checkSums(folder: string): { readonly name: string; readonly ok: boolean }[] {
  const list = join(folder, "SHA256SUMS");
  if (!existsSync(list)) return [];
  return readFileSync(list, "utf8")
    .split("\n")
    .flatMap((line) => {
      const match = /^([0-9a-f]{64}) {2}([\w.-]+)$/.exec(line);
      return match === null ? [] : [{ name: match[2], ok: hashOf(join(folder, match[2])) === match[1] }];
    });
}

function hashOf(path: string): string | undefined {
  return existsSync(path) ? createHash("sha256").update(readFileSync(path)).digest("hex") : undefined;
}
