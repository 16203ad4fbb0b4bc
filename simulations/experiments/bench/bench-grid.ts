import { MurmurError } from "../../../shared/protocol/errors.ts";
import { type RunConfig, type RunConfigDocument, runConfigSchema } from "../config.ts";
import { checkRunConfig } from "../config-checks.ts";
import { configError, configProblems } from "../config-problems.ts";
import { configHash } from "../fingerprints.ts";
import type { BenchConfig, BenchMechanism } from "./bench-config.ts";

/** Where a cell is in the grid. */
export interface CellKey {
  readonly mechanism: BenchMechanism;
  /** The target; null: no noise. */
  readonly epsilon: number | null;
  readonly population: number;
  /** q: share of the population that is in a round, on average. */
  readonly sampling: number;
  readonly dropout: number;
  /** `iid`, or the α of a Dirichlet distribution over labels; `own`: as the base configuration deals the data. */
  readonly heterogeneity: "iid" | "own" | number;
  /** Of a coordinate of the sum. */
  readonly bits: number;
  readonly rounds: number;
}

/** One run of the benchmark. */
export interface Cell {
  /** Names its configuration: a cell that has been run under this name need not be run again. */
  readonly id: string;
  readonly key: CellKey;
  readonly seed: number;
  readonly config: RunConfig;
}

/**
 * The grid's cells, times seeds. Without noise the central mechanism and the local one are the same run, which is there
 * once.
 * @throws {MurmurError} what is wrong with a cell's configuration, and which cell it is
 */
export function benchCells(bench: BenchConfig): Cell[] {
  const cells = new Map<string, Cell>();
  for (const document of documents(bench)) {
    const cell = toCell(document);
    cells.set(cell.id, cells.get(cell.id) ?? cell);
  }
  return [...cells.values()];
}

/** The few rounds beside the grid in which every device draws its own noise, and real masks cover it. */
export function certifiedCell(bench: BenchConfig): Cell | undefined {
  if (bench.certified === undefined) return undefined;
  const { mechanism, epsilon, rounds } = bench.certified;
  const document = cellDocument(bench, { mechanism, epsilon }, bench.seeds[0]);
  const planned = document.config.round?.count;
  return toCell({
    ...document,
    config: {
      ...document.config,
      // Noise for as many rounds as the grid's cells have, of which these few are the first.
      round: { ...document.config.round, count: rounds, evaluateEvery: 1 },
      secagg: { ...document.config.secagg, fidelity: "real" },
      privacy: {
        ...document.config.privacy,
        noise: "device",
        randomness: "system",
        ...(planned === undefined ? {} : { rounds: planned }),
      },
    },
  });
}

interface CellDocument {
  readonly name: string;
  readonly place: Partial<CellKey> & Pick<CellKey, "mechanism" | "epsilon">;
  readonly config: RunConfigDocument;
}

type Place = Pick<CellKey, "mechanism" | "epsilon"> & Partial<Omit<CellKey, "mechanism" | "epsilon" | "rounds">>;

function* documents(bench: BenchConfig): Generator<CellDocument> {
  const { grid } = bench;
  const optional = <T>(values: readonly T[] | undefined): readonly (T | undefined)[] => values ?? [undefined];
  for (const mechanism of grid.mechanism)
    for (const target of grid.epsilon)
      for (const population of optional(grid.population))
        for (const sampling of optional(grid.sampling))
          for (const dropout of optional(grid.dropout))
            for (const heterogeneity of optional(grid.heterogeneity))
              for (const bits of optional(grid.bits))
                for (const seed of bench.seeds) {
                  const place: Place = {
                    // Without noise local updates are what central ones are.
                    mechanism: target === "none" && mechanism === "local" ? "central" : mechanism,
                    epsilon: target === "none" ? null : target,
                    ...(population === undefined ? {} : { population }),
                    ...(sampling === undefined ? {} : { sampling }),
                    ...(dropout === undefined ? {} : { dropout }),
                    ...(heterogeneity === undefined ? {} : { heterogeneity }),
                    ...(bits === undefined ? {} : { bits }),
                  };
                  yield cellDocument(bench, place, seed);
                }
}

function cellDocument(bench: BenchConfig, place: Place, seed: number): CellDocument {
  const { mechanism, epsilon, population, sampling, dropout, heterogeneity, bits } = place;
  const matching = bench.overrides.filter(
    ({ when }) =>
      (when.mechanism === undefined || when.mechanism === mechanism) &&
      (when.epsilon === undefined || (when.epsilon === "none" ? null : when.epsilon) === epsilon) &&
      (when.population === undefined || when.population === population),
  );
  const base = matching.reduce((document, { set }) => merged(document, set), bench.base);
  const devices = population ?? base.fleet?.devices ?? 100;
  const q = sampling ?? base.privacy?.sampling ?? (base.round?.cohort ?? 10) / devices;
  const isDistributed = mechanism.startsWith("distributed");
  const config: RunConfigDocument = {
    ...base,
    seed,
    fleet: { ...base.fleet, devices, ...(dropout === undefined ? {} : { dropout }) },
    task: { ...base.task, ...partitionOf(heterogeneity) },
    round: { ...base.round, cohort: Math.max(1, Math.round(q * devices)) },
    privacy: {
      ...base.privacy,
      mechanism,
      sampling: q,
      ...(epsilon === null ? { noiseMultiplier: 0 } : { epsilon }),
      // A cell's noise is drawn once a round: on every device it would take longer than all of its training.
      ...(isDistributed || mechanism === "local" ? { noise: "aggregate" } : {}),
      ...(bits === undefined ? {} : { bits }),
    },
  };
  const target = epsilon === null ? "without noise" : `ε = ${epsilon}`;
  return { name: `${mechanism} ${target}, ${devices} devices, seed ${seed}`, place, config };
}

function partitionOf(
  heterogeneity: CellKey["heterogeneity"] | undefined,
): Pick<NonNullable<RunConfigDocument["task"]>, "partition"> {
  if (heterogeneity === undefined || heterogeneity === "own") return {};
  if (heterogeneity === "iid") return { partition: { kind: "iid" } };
  return { partition: { kind: "dirichlet", alpha: heterogeneity } };
}

function toCell({ name, place, config: document }: CellDocument): Cell {
  const problems = configProblems(document);
  const [impossible] = problems.length > 0 ? [configError(problems)] : checkRunConfig(runConfigSchema.parse(document));
  if (impossible !== undefined) {
    throw new MurmurError(impossible.name, `The cell "${name}": ${impossible.message}`, { hint: impossible.hint });
  }
  const config = runConfigSchema.parse(document);
  const { privacy, fleet, quantise, round } = config;
  if (privacy === undefined) throw new Error("a cell of a privacy benchmark has a privacy section");
  const isDistributed = place.mechanism.startsWith("distributed");
  return {
    id: configHash(config).slice(0, 16),
    seed: config.seed,
    config,
    key: {
      mechanism: place.mechanism,
      epsilon: place.epsilon,
      population: fleet.devices,
      sampling: privacy.sampling ?? round.cohort / fleet.devices,
      dropout: fleet.dropout,
      heterogeneity: place.heterogeneity ?? "own",
      bits: isDistributed ? privacy.bits : quantise.bits,
      rounds: round.count,
    },
  };
}

/** `over` laid over `base`, section by section; another kind replaces a section. */
function merged<T extends object>(base: T, over: T): T {
  const result = { ...base } as Record<string, unknown>;
  for (const [key, value] of Object.entries(over)) {
    const old = result[key];
    const isSameKind = isSection(old) && isSection(value) && (value.kind === undefined || value.kind === old.kind);
    result[key] = isSameKind ? merged(old, value) : value;
  }
  return result as T;
}

function isSection(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
