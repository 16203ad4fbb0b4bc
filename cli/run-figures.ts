import type { EpsilonStatement } from "../shared/privacy/epsilon-statement.ts";
import type { Stage } from "../shared/protocol/reasons.ts";
import { STAGES } from "../shared/protocol/reasons.ts";
import type { JsonObject } from "../shared/protocol/run-meta.ts";
import { runConfigSchema } from "../simulations/experiments/config.ts";
import { claimOf } from "../simulations/experiments/privacy/privacy-statement.ts";
import { type RoundFigures, roundFigures } from "../simulations/experiments/round-figures.ts";
import type { StoredRun } from "./run-folders.ts";

/** What a run's record adds up to, as `list`, `show` and `compare` tell it. */
export interface RunFigures extends RoundFigures {
  readonly run: string;
  readonly status: string;
  readonly folder: string;
  /** UTC, ISO 8601. */
  readonly startedAt: string;
  /** From its start to its end, or to its last round; with the time between if it was resumed. */
  readonly seconds: number;
  /** What the run's models tell of a device at most; null where nothing is promised. */
  readonly privacy: EpsilonStatement | null;
  readonly modelHash: string | null;
  /** Whether updates were masked, and if not, why not. */
  readonly masks: "real" | "accounted" | "off" | "plaintext";
}

export function runFigures({ folder, meta, status, rounds, charged }: StoredRun): RunFigures {
  const figures = roundFigures(rounds);
  const end = meta.endedAt ?? rounds.at(-1)?.at ?? meta.startedAt;
  return {
    run: meta.run,
    status,
    folder,
    startedAt: new Date(meta.startedAt).toISOString(),
    seconds: (end - meta.startedAt) / 1000,
    ...figures,
    secondsPerStage: inStageOrder(figures.secondsPerStage),
    masks: masksOf(meta.config),
    privacy: privacyOf(meta.config, charged),
    modelHash: rounds.findLast(({ outcome }) => outcome === "committed")?.modelHash ?? null,
  };
}

function privacyOf(document: JsonObject, charged: number): EpsilonStatement | null {
  const config = runConfigSchema.safeParse(document);
  return config.success ? (claimOf(config.data, charged) ?? null) : null;
}

function masksOf(config: JsonObject): RunFigures["masks"] {
  const { secagg } = config as { secagg?: { mode?: string; fidelity?: "real" | "accounted" | "off" } };
  return secagg?.mode === "plaintext" ? "plaintext" : (secagg?.fidelity ?? "real");
}

function inStageOrder(seconds: Partial<Record<Stage, number>>): Partial<Record<Stage, number>> {
  return Object.fromEntries(STAGES.flatMap((stage) => (seconds[stage] === undefined ? [] : [[stage, seconds[stage]]])));
}
