import type { ComponentChildren } from "preact";

export interface FigureTable {
  readonly heads: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

export interface ChartFigureProps {
  readonly title: string;
  readonly children: ComponentChildren;
  /** The numbers that are drawn. */
  readonly table: FigureTable;
  /** What has to be known to read it. */
  readonly caption: ComponentChildren;
}

/** A chart, what it says, and the table that lies behind it. */
export function ChartFigure({ title, children, table, caption }: ChartFigureProps) {
  return (
    <figure>
      <h3>{title}</h3>
      <div class="wide">{children}</div>
      <figcaption>{caption}</figcaption>
      <details>
        <summary>The numbers</summary>
        <DataTable {...table} />
      </details>
    </figure>
  );
}

/** Columns of figures stand to the right, columns of words to the left. */
export function DataTable({ heads, rows }: FigureTable) {
  const isWords = heads.map((_, i) => rows.some((row) => /^\p{L}/u.test(row[i] ?? "")));
  return (
    <div class="table">
      <table>
        <thead>
          <tr>
            {heads.map((head, i) => (
              <th key={head} scope="col" class={isWords[i] ? "words" : undefined}>
                {head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.join()}>
              {row.map((cell, i) =>
                i === 0 ? (
                  <th key={heads[i]} scope="row">
                    {unbroken(cell)}
                  </th>
                ) : (
                  <td key={heads[i]} class={isWords[i] ? "words" : undefined}>
                    {unbroken(cell)}
                  </td>
                ),
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** A figure stays beside its unit. */
function unbroken(text: string): string {
  return text.replaceAll(/(\d) %/g, "$1\u00a0%");
}
