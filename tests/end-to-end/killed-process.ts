import { openRunReader } from "../../server/store/run-reader.ts";
import type { RoundRecord } from "../../shared/protocol/round-record.ts";
import { ended, spawnMurmur } from "../cli/built-binary.ts";

/** When to kill: so many milliseconds after the start, or once so many events have been printed. */
export type Death = { readonly milliseconds: number } | { readonly events: number };

/** A command that prints events, and kill -9. */
export async function liveAndDie(args: readonly string[], cwd: string, death: Death) {
  const child = spawnMurmur([...args, "--format", "ndjson", "--no-progress"], cwd);
  const die = () => child.kill("SIGKILL");
  if ("milliseconds" in death) setTimeout(die, death.milliseconds);
  else {
    let printed = 0;
    child.stdout.on("data", (text: Buffer) => {
      printed += text.toString().split("\n").length - 1;
      if (printed >= death.events) die();
    });
  }
  return ended(child);
}

/** What a run has on disk, as anyone finds it who looks after the process is gone. */
export function onDisk(folder: string) {
  const reader = openRunReader(folder);
  try {
    const committed = reader.rounds().filter(({ outcome }) => outcome === "committed");
    return { committed, spent: reader.spentRounds().map(({ round }) => round), events: reader.events() };
  } finally {
    reader.close();
  }
}

export function fingerprints(records: readonly RoundRecord[]): string[] {
  return records.map((record) => JSON.stringify(record));
}
