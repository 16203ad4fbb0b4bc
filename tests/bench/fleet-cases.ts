import type { BenchmarkRow } from "./report.ts";

/** Cases that are measured together: add a list of them in `fleet.ts` to add some. */
export interface FleetCases {
  /** Names of the rows, those of the short form where it is wanted. */
  names(quick: boolean): readonly string[];
  /** At least the rows of the wanted names. */
  measure(options: MeasureOptions): readonly BenchmarkRow[] | Promise<readonly BenchmarkRow[]>;
}

export interface MeasureOptions {
  /** A short form, of fewer devices. */
  readonly quick: boolean;
  wants(name: string): boolean;
  /** Told what is being prepared or measured. */
  readonly onProgress: (what: string) => void;
}

export interface FleetBenchmarkOptions {
  readonly quick: boolean;
  /** Only the case of this name. */
  readonly only?: string;
  readonly onProgress?: (what: string) => void;
}

/** Measures one list of cases after another. */
export async function runFleetBenchmark(
  cases: readonly FleetCases[],
  { quick, only, onProgress = () => {} }: FleetBenchmarkOptions,
): Promise<BenchmarkRow[]> {
  const wants = (name: string) => only === undefined || only === name;
  const rows: BenchmarkRow[] = [];
  for (const each of cases) {
    if (each.names(quick).some(wants)) rows.push(...(await each.measure({ quick, wants, onProgress })));
  }
  const wanted = rows.filter((row) => wants(row.case));
  if (wanted.length === 0) throw new RangeError(`there is no case "${only}"${quick ? " in the quick form" : ""}`);
  return wanted;
}
