import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import type { Cell } from "./bench-grid.ts";

const share = z.number().min(0).max(1);

const cellResultSchema = z.object({
  id: z.string(),
  /** `done` also when the noise left a model that knows nothing; `diverged` when it left none. */
  status: z.enum(["done", "diverged", "failed"]),
  /** Why it failed. */
  error: z.string().optional(),
  /** Of the final model on the public test set; null where there is none. */
  accuracy: share.nullable(),
  /** By class, of its own test examples. */
  accuracyByClass: z.array(share),
  /** Of the rounds after which the model was evaluated; `updateNorm`: how far the round moved it. */
  series: z.array(z.object({ round: z.int(), accuracy: share, updateNorm: z.number().min(0) })),
  /** z, and ε of all rounds that were charged, by the ledger; null without noise. */
  noiseMultiplier: z.number().nullable(),
  epsilon: z.number().nullable(),
  /** n_fix: devices in every round's roster. */
  roster: z.int().nullable(),
  /** Whether every sum was the exact one; null where nothing was compared. */
  exact: z.boolean().nullable(),
  stamps: z.array(z.string()),
  wallSeconds: z.number(),
  cpuSeconds: z.number(),
  bytesUpPerDevice: z.number(),
  bytesDownPerDevice: z.number(),
});

/** What a cell came to: a file of its own, so that a benchmark that was killed goes on where it was. */
export type CellResult = z.output<typeof cellResultSchema>;

/** The results of a benchmark's cells, in the benchmark's folder. */
export interface CellResults {
  /** Undefined where the cell has not been run to its end, or its file is damaged. */
  read(cell: Pick<Cell, "id">): CellResult | undefined;
  /** Whole or not at all: a file appears once it has been written. */
  write(result: CellResult): void;
}

export function cellResults(folder: string): CellResults {
  const path = (id: string): string => join(folder, `${id}.json`);
  return {
    read({ id }) {
      if (!existsSync(path(id))) return undefined;
      try {
        const parsed = cellResultSchema.safeParse(JSON.parse(readFileSync(path(id), "utf8")));
        return parsed.success && parsed.data.id === id && parsed.data.status !== "failed" ? parsed.data : undefined;
      } catch (error) {
        if (error instanceof SyntaxError) return undefined;
        throw error;
      }
    },
    write(result) {
      mkdirSync(folder, { recursive: true });
      const part = `${path(result.id)}.part`;
      writeFileSync(part, `${JSON.stringify(result, null, 2)}\n`);
      renameSync(part, path(result.id));
    },
  };
}
