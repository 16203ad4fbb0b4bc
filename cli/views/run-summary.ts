import { basename } from "node:path";
import { epsilonText } from "../../shared/privacy/epsilon-statement.ts";
import type { RoundRecord } from "../../shared/protocol/round-record.ts";
import { transportOf } from "../../shared/protocol/run-meta.ts";
import { datasetTitle } from "../../simulations/datasets/reference.ts";
import { type RunConfig, runConfigSchema } from "../../simulations/experiments/config.ts";
import { possibleRosters } from "../../simulations/experiments/config-checks.ts";
import { lostDevices, roundSeconds } from "../../simulations/experiments/round-figures.ts";
import type { ThresholdResult } from "../../simulations/experiments/thresholds.ts";
import type { Edge } from "../edge.ts";
import { type RunFigures, runFigures } from "../run-figures.ts";
import { type StoredRun, shownPath } from "../run-folders.ts";
import type { Colours } from "./colours.ts";
import {
  bytesText,
  decimalText,
  filled,
  percentText,
  secondsText,
  table,
  virtualDurationText,
  virtualTimeText,
  visibleLength,
} from "./figures.ts";
import { fidelityText } from "./run-headline.ts";

export interface SummaryOptions {
  readonly paint: Colours;
  readonly cwd: string;
  /** Where lines of words are broken. */
  readonly columns: number;
  /** `some`: a few rounds spread over the run, for the end of it. */
  readonly rounds: "all" | "some";
}

/** A readable length of line, on this terminal. */
export function textColumns({ stdout }: Pick<Edge, "stdout">): number {
  return Math.max(60, Math.min(stdout.columns, 110));
}

/** How a run ended, for a person: its rounds, its thresholds, what the coordinator learnt, what to do with it. */
export function runSummary(run: StoredRun, { paint, cwd, columns, rounds }: SummaryOptions): string[] {
  const figures = runFigures(run);
  const config = runConfigSchema.safeParse(run.meta.config).data;
  const folder = shownPath(cwd, run.folder);
  const onSockets = transportOf(run.meta) === "sockets";
  const command = onSockets ? "serve" : "run";
  return [
    [
      `run ${paint.bold(figures.run)}`,
      ...(config === undefined ? [] : configParts(config)),
      statusText(run.status, paint),
    ].join("  "),
    "",
    ...roundTable(rounds === "all" ? run.rounds : spread(run.rounds, 8), paint, columns),
    "",
    ...outcome(run, figures, config?.secagg.mode === "masked", paint).flatMap((line) => filled(line, columns, 11)),
    ...(config === undefined ? [] : ["", ...whatTheCoordinatorLearnt(config, figures, paint, columns, onSockets)]),
    "",
    `record     ${folder}`,
    `reproduce  murmur ${command} ${folder}/config.lock.yaml`,
    ...(run.status === "interrupted" ? [`resume     murmur ${command} --resume ${basename(run.folder)}`] : []),
    `verify     murmur verify ${basename(run.folder)}`,
  ];
}

function configParts(config: RunConfig): string[] {
  const { task, fleet, round } = config;
  return [
    `${datasetTitle(task.dataset)} ${task.partition.kind} · ${basename(task.model)} · ${fleet.devices} devices · cohort ${round.cohort} · seed ${config.seed}`,
  ];
}

function statusText(status: string, paint: Colours): string {
  if (status === "done") return paint.learnt(status);
  return status === "failed" || status === "diverged" ? paint.error(status) : paint.warning(status);
}

function roundTable(rounds: readonly RoundRecord[], paint: Colours, columns: number): string[] {
  if (rounds.length === 0) return ["no round was finished"];
  const heads = ["round", "outcome", "acc", "loss", "in sum", "lost", "up", "down", "time"].map((head) =>
    paint.dim(head),
  );
  const rows = rounds.map((round) => [
    String(round.round),
    round.outcome === "committed" ? "committed" : paint.warning(`abandoned: ${round.reason ?? "unknown"}`),
    percentText(round.accuracy),
    decimalText(round.testLoss),
    String(round.survivors),
    String(lostDevices(round)),
    bytesText(round.bytesUp),
    bytesText(round.bytesDown),
    secondsText(roundSeconds(round)),
  ]);
  const lines = table([heads, ...rows], [0, 2, 3, 4, 5, 6, 7, 8]);
  return lines.every((line) => visibleLength(line) <= columns)
    ? lines
    : table(
        [heads, ...rows].map((row) => row.slice(0, 6)),
        [0, 2, 3, 4, 5],
      );
}

/** The first, the last, and what lies evenly between. */
function spread<T>(items: readonly T[], count: number): T[] {
  if (items.length <= count) return [...items];
  return Array.from({ length: count }, (_, i) => items[Math.round((i * (items.length - 1)) / (count - 1))]);
}

function outcome(run: StoredRun, figures: RunFigures, masked: boolean, paint: Colours): string[] {
  const mark = (ok: boolean) => (ok ? paint.learnt("✓") : paint.error("✗"));
  const thresholds = thresholdsOf(run).map(({ ok, metric, comparison, limit, value }) => [
    mark(ok),
    metric,
    decimalText(value, Number.isInteger(value) ? 0 : 3),
    `${comparison} ${limit}`,
  ]);
  const drops = Object.entries(figures.drops).map(([reason, count]) => `${count} ${reason}`);
  const between = Object.entries(figures.lostBetween).map(([reason, count]) => `${count} ${reason}`);
  const stages = Object.entries(figures.secondsPerStage)
    .filter(([, seconds]) => seconds >= 0.05)
    .map(([stage, seconds]) => `${stage} ${secondsText(seconds)}`);
  return [
    ...(thresholds.length === 0 ? [] : [...table(thresholds, [2]), ""]),
    `${figures.accuracy === null && figures.loss !== null ? `test loss  ${paint.bold(decimalText(figures.loss))}` : `accuracy   ${paint.bold(percentText(figures.accuracy))}`} after ${figures.committed} ${figures.committed === 1 ? "round" : "rounds"}, ${figures.abandoned} abandoned, in ${secondsText(figures.seconds)}`,
    `a device   ${bytesText(figures.bytesUpPerDevice)} up and ${bytesText(figures.bytesDownPerDevice)} down in a round`,
    ...(figures.privacy === null ? [] : [`privacy    ${epsilonText(figures.privacy)}`]),
    `lost       ${drops.length === 0 ? "none" : drops.join(", ")}`,
    ...(between.length === 0 ? [] : [`between    rounds: ${between.join(", ")}`]),
    `time       ${stages.length === 0 ? "–" : stages.join(", ")}`,
    ...(figures.virtual === null
      ? []
      : [
          `virtual    ${virtualDurationText(figures.virtual.until - figures.virtual.from)} of the fleet's time, from ${virtualTimeText(figures.virtual.from)} to ${virtualTimeText(figures.virtual.until)}; a round took ${virtualDurationText(figures.virtual.medianRound)} (median)`,
        ]),
    ...(figures.exact === null || !masked
      ? []
      : [
          `sums       ${mark(figures.exact)} ${
            figures.exact
              ? `every unmasked sum equals the plain sum of its ${range(figures.survivors)} updates, bit for bit`
              : "an unmasked sum differs from the plain sum of its updates"
          }`,
        ]),
  ];
}

function thresholdsOf({ meta }: StoredRun): readonly ThresholdResult[] {
  const thresholds = meta.result?.thresholds;
  return Array.isArray(thresholds) ? (thresholds as ThresholdResult[]) : [];
}

const IN_ONE_PROCESS =
  " One process played every device here, so it kept nobody's data from itself: it shows the protocol at work.";

/** What can be said, at which level, and what cannot (`secure-aggregation.md` section 1). */
export function whatTheCoordinatorLearnt(
  config: RunConfig,
  figures: Pick<RunFigures, "committed" | "survivors">,
  paint: Colours,
  columns: number,
  onSockets = false,
): string[] {
  const words = (text: string, colour: (line: string) => string = (line) => line) => filled(text, columns).map(colour);
  if (config.secagg.mode === "plaintext") {
    const warning = "INSECURE: the coordinator saw every device's update. Nothing was masked; the run was declared so.";
    return words(warning, paint.error);
  }
  if (config.secagg.fidelity !== "real") {
    const warning = `${fidelityText(config.secagg.fidelity)}. The record shows what a fleet learns and when; nobody's update was protected, and no claim is made.`;
    return words(warning, paint.warning);
  }
  const parameters = possibleRosters(config).map((roster) => roster.parameters);
  const colluders = Math.min(...parameters.map(({ corruptedTolerated }) => corruptedTolerated));
  // The finder's graph can be ground by whoever draws the roster, so it bears the weaker claim.
  const deviation = parameters.every(({ claim }) => claim === "active") ? "at will" : "once the roster is fixed";
  const sums = figures.committed === 1 ? "one sum" : `${figures.committed} sums`;
  const helpers = `up to ${colluders} devices of a cohort`;
  const level =
    config.secagg.level === "active-server"
      ? `That would hold even if it deviated ${deviation} with the help of ${helpers} (active-server), as long as the enrolment authority is not the coordinator.`
      : `That holds while it follows the protocol, even with the help of ${helpers} (curious-server); not against a coordinator that deviates.`;
  return [
    ...words(
      `The coordinator learnt ${sums} of ${range(figures.survivors)} updates, and who took part; no single update. ${level}`,
    ),
    ...words(
      `Not protected: what the sums and the model themselves reveal, and whether the updates were honest.${onSockets ? "" : IN_ONE_PROCESS}`,
      paint.dim,
    ),
  ];
}

function range(survivors: readonly [number, number] | null): string {
  if (survivors === null) return "0";
  return survivors[0] === survivors[1] ? String(survivors[0]) : `${survivors[0]} to ${survivors[1]}`;
}
