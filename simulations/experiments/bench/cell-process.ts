import "../../../client/training/onnx/without-telemetry.ts";
import { createStopSwitch } from "../../../shared/time/stop-signal.ts";
import { runConfigSchema } from "../config.ts";
import type { CellAnswer, CellOrder } from "./cell-messages.ts";
import { runCell } from "./run-cell.ts";

// The program of one of a benchmark's processes: runs cells, one after another, as its parent sends them.

const stop = createStopSwitch();

function answer(message: CellAnswer): void {
  process.send?.(message);
}

async function carryOut({ id, document, folder, stamp }: CellOrder): Promise<void> {
  try {
    const result = await runCell({ id, config: runConfigSchema.parse(document) }, folder, {
      stamp,
      stop,
      clock: () => Date.now(),
      stopwatch: () => performance.now(),
      breathe: () => new Promise((resolve) => setImmediate(resolve)),
      cpuSeconds() {
        const { user, system } = process.cpuUsage();
        return (user + system) / 1e6;
      },
    });
    answer(result === undefined ? { kind: "stopped", id } : { kind: "done", id, result });
  } catch (error) {
    answer({ kind: "failed", id, message: error instanceof Error ? error.message : String(error) });
  }
}

process.on("message", (order: CellOrder) => void carryOut(order));
// The parent is gone, or wants no more: nothing that is half done is worth keeping.
process.on("disconnect", () => process.exit(0));
// A terminal sends Ctrl-C to the whole group; the parent decides what it means.
process.on("SIGINT", () => undefined);
