import { basename } from "node:path";
import { MurmurError } from "../../shared/protocol/errors.ts";
import { seededRandom } from "../../shared/random/seeded-random.ts";
import { type Dataset, datasetHash } from "./dataset.ts";
import type { ExampleSet } from "./example-set.ts";
import { type Row, readTable, type Table } from "./table-file.ts";

export interface TableSpec {
  readonly file: string;
  /** Examples of a second file with the same columns. Absent: a fraction of the first, drawn from the seed. */
  readonly testFile?: string;
  /** That fraction. */
  readonly test: number;
  /** The column of classes; or else `targets`, columns of numbers. */
  readonly label?: string;
  readonly targets?: readonly string[];
  /** Columns that are fed as they are, or standardised. */
  readonly numeric: readonly string[];
  /** Columns that are fed one-hot. */
  readonly categorical: readonly string[];
  /** Public statistics of numeric columns: a value is fed as (value − mean) / deviation. */
  readonly standardise: Readonly<Record<string, { readonly mean: number; readonly deviation: number }>>;
  /** The column that says whose each example is. */
  readonly key?: string;
  readonly delimiter: string;
}

/**
 * A table in a CSV file, its first line the columns' names:
 *
 *     numeric ──(x − mean) / deviation──▶ 1 value      categorical with c categories ──one-hot──▶ c values
 *
 * Columns that nothing names are left out. Nothing is computed from the data that a fleet could not know: means and
 * deviations are given, and the categories and classes, which do come from the files, are taken to be public.
 * @throws {MurmurError} `dataset-invalid`, with the line, for a missing column or value and for what is no number.
 */
export async function loadTable(spec: TableSpec, seed: number): Promise<Dataset> {
  const table = await readTable(spec.file, spec.delimiter);
  const testTable = spec.testFile === undefined ? undefined : await readTable(spec.testFile, spec.delimiter);
  const all = testTable === undefined ? [table] : [table, testTable];
  const encode = columnEncoder(spec, all);
  const owners = spec.key === undefined ? undefined : distinct(all, spec.key);
  const { train, test } = testTable === undefined ? split(table, spec, seed) : { train: table, test: testTable };
  const labels = labelReader(spec, all);
  const sets = [train, test].map((part) => exampleSet(part, encode, labels, spec.key, owners));
  return {
    name: basename(spec.file),
    ...labels.shape,
    inputShape: [encode.width],
    train: sets[0],
    test: sets[1],
    ...(labels.classNames === undefined ? {} : { classNames: labels.classNames }),
    ...(owners === undefined ? {} : { keyNames: [...owners.keys()] }),
    sha256: datasetHash(sets[0], sets[1]),
  };
}

interface ColumnEncoder {
  readonly width: number;
  write(row: Row, into: Float32Array, at: number): void;
}

function columnEncoder(spec: TableSpec, tables: readonly Table[]): ColumnEncoder {
  const { numeric, categorical, standardise } = spec;
  if (numeric.length + categorical.length === 0) {
    throw new MurmurError("dataset-invalid", `${spec.file}: no column is named as an input.`, {
      hint: `List columns as \`task.dataset.numeric\` or \`categorical\`; there are ${tables[0].columns.join(", ")}.`,
    });
  }
  const stray = Object.keys(standardise).find((name) => !numeric.includes(name));
  if (stray !== undefined) {
    throw new MurmurError("dataset-invalid", `${spec.file}: "${stray}" is standardised and no numeric column.`, {
      hint: "List it as `task.dataset.numeric`, or leave it out of `standardise`.",
    });
  }
  const categories = categorical.map((name) => ({ name, indices: distinct(tables, name) }));
  return {
    width: numeric.length + categories.reduce((width, { indices }) => width + indices.size, 0),
    write(row, into, at) {
      let place = at;
      for (const name of numeric) {
        const { mean, deviation } = standardise[name] ?? { mean: 0, deviation: 1 };
        into[place++] = (row.number(name) - mean) / deviation;
      }
      for (const { name, indices } of categories) {
        into[place + indexOf(indices, row.text(name))] = 1;
        place += indices.size;
      }
    },
  };
}

interface LabelReader {
  readonly shape: Pick<Dataset, "labels" | "outputs">;
  readonly classNames?: readonly string[];
  read(rows: readonly Row[]): ExampleSet["labels"];
}

function labelReader({ label, targets = [] }: TableSpec, tables: readonly Table[]): LabelReader {
  if (label === undefined) {
    return {
      shape: { labels: "targets", outputs: targets.length },
      read: (rows) => Float32Array.from(rows.flatMap((row) => targets.map((name) => row.number(name)))),
    };
  }
  const classes = distinct(tables, label);
  return {
    shape: { labels: "classes", outputs: classes.size },
    classNames: [...classes.keys()],
    read: (rows) => Int32Array.from(rows, (row) => indexOf(classes, row.text(label))),
  };
}

function exampleSet(
  { rows }: Table,
  encode: ColumnEncoder,
  labels: LabelReader,
  key: string | undefined,
  owners: ReadonlyMap<string, number> | undefined,
): ExampleSet {
  const values = new Float32Array(rows.length * encode.width);
  for (const [i, row] of rows.entries()) encode.write(row, values, i * encode.width);
  return {
    values,
    scale: 1,
    labels: labels.read(rows),
    count: rows.length,
    inputShape: [encode.width],
    ...(key === undefined || owners === undefined
      ? {}
      : { keys: Int32Array.from(rows, (row) => indexOf(owners, row.text(key))) }),
  };
}

/** Test rows are drawn from the seed; both parts keep the file's order. */
function split(table: Table, { file, test }: TableSpec, seed: number): { train: Table; test: Table } {
  const count = Math.round(table.rows.length * test);
  if (count === 0 || count === table.rows.length) {
    throw new MurmurError(
      "dataset-invalid",
      `${file}: ${count} of its ${table.rows.length} rows would be test examples.`,
      {
        hint: "Name a `task.dataset.testFile`, or choose another `task.dataset.test`.",
      },
    );
  }
  const drawn = new Set(seededRandom(seed, "table/test").sample(table.rows.length, count));
  return {
    train: { ...table, rows: table.rows.filter((_, i) => !drawn.has(i)) },
    test: { ...table, rows: table.rows.filter((_, i) => drawn.has(i)) },
  };
}

/** The values of a column with their places: numbers in order of size where all are numbers, else in order of the text. */
function distinct(tables: readonly Table[], name: string): ReadonlyMap<string, number> {
  const values = [...new Set(tables.flatMap(({ rows }) => rows.map((row) => row.text(name))))];
  const numbers = values.every((value) => Number.isFinite(Number(value)));
  values.sort((a, b) => (numbers ? Number(a) - Number(b) : 0) || (a < b ? -1 : 1));
  return new Map(values.map((value, index) => [value, index]));
}

function indexOf(places: ReadonlyMap<string, number>, value: string): number {
  const place = places.get(value);
  if (place === undefined) throw new Error(`"${value}" is in no table`);
  return place;
}
