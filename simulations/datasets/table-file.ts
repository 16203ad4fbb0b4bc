import { CsvError, parse } from "csv-parse/sync";
import { MurmurError } from "../../shared/protocol/errors.ts";
import { suggest } from "../suggestions.ts";
import { readDatasetFile } from "./files.ts";

export interface Table {
  readonly columns: readonly string[];
  readonly rows: readonly Row[];
}

/** A row's cells, by column. What a cell lacks is an error that names its line. */
export interface Row {
  /** @throws {MurmurError} `dataset-invalid` for an empty cell, or a column that is not there. */
  text(column: string): string;
  /** @throws {MurmurError} `dataset-invalid` for what is no finite decimal number, too. */
  number(column: string): number;
}

const DECIMAL = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;

/**
 * A CSV file (RFC 4180), UTF-8, whose first line names the columns. White space around a value is not part of it.
 * @throws {MurmurError} `dataset-invalid`
 */
export async function readTable(file: string, delimiter: string): Promise<Table> {
  const { bytes } = await readDatasetFile(file, "Put the CSV file there, or correct `task.dataset`.");
  const [header, ...records] = parseRecords(bytes, file, delimiter);
  const columns = header?.record ?? [];
  const twice = columns.find((name, i) => columns.indexOf(name) !== i);
  if (twice !== undefined) throw invalid(file, `has two columns "${twice}"`, "Give each column a name of its own.");
  const places = new Map(columns.map((name, i) => [name, i]));
  if (records.length === 0) throw invalid(file, "holds no rows", "Its first line names the columns; the rows follow.");
  const placeOf = (column: string): number => {
    const place = places.get(column);
    if (place !== undefined) return place;
    const near = suggest(column, columns);
    throw invalid(
      file,
      `has no column "${column}"`,
      near === undefined ? `There are ${columns.join(", ")}.` : `Did you mean "${near}"?`,
    );
  };
  return {
    columns,
    rows: records.map(({ record, info: { lines } }) => {
      const text = (column: string): string => {
        const value = record[placeOf(column)];
        if (value !== "") return value;
        throw invalid(file, `has an empty cell in line ${lines}, column "${column}"`, MISSING);
      };
      return {
        text,
        number(column) {
          const value = text(column);
          const number = Number(value);
          if (DECIMAL.test(value) && Number.isFinite(Math.fround(number))) return number;
          throw invalid(
            file,
            `has ${JSON.stringify(value)} for a number in line ${lines}, column "${column}"`,
            MISSING,
          );
        },
      };
    }),
  };
}

const MISSING =
  "Fill missing values in, or take out the rows that lack one: a guess would have to be made from data that stays on devices.";

interface ParsedRecord {
  readonly record: readonly string[];
  readonly info: { readonly lines: number };
}

function parseRecords(bytes: Uint8Array, file: string, delimiter: string): ParsedRecord[] {
  try {
    const options = { bom: true, delimiter, info: true, skip_empty_lines: true, trim: true };
    // With `info`, each record comes with where it was; the declarations do not say so.
    return parse(bytes, options) as unknown as ParsedRecord[];
  } catch (cause) {
    if (!(cause instanceof CsvError)) throw cause;
    throw invalid(
      file,
      `is no CSV file: ${cause.message}`,
      "Quote values that hold the delimiter, and correct the line.",
    );
  }
}

function invalid(file: string, fault: string, hint: string): MurmurError {
  return new MurmurError("dataset-invalid", `${file} ${fault}.`, { hint });
}
