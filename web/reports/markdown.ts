/** Text as Markdown (CommonMark, and tables of GitHub's) shows it letter by letter, in one line. */
export function markdownText(text: string): string {
  return text
    .replaceAll(/\s*[\r\n]+\s*/g, " ")
    .replaceAll(/[\\`*_[\]<>|]/g, "\\$&")
    .replaceAll("&", "&amp;");
}

/** As it is typed: between more backticks than follow each other in it. */
export function markdownCode(text: string): string {
  const line = text.replaceAll(/[\r\n]+/g, " ");
  const longest = Math.max(0, ...[...line.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = "`".repeat(longest + 1);
  const space = /^`|`$/.test(line) ? " " : "";
  return `${fence}${space}${line}${space}${fence}`;
}

/** The first column to the left, figures to the right. */
export function markdownTable({
  heads,
  rows,
}: {
  readonly heads: readonly string[];
  readonly rows: readonly (readonly string[])[];
}): string[] {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [
    line(heads.map(markdownText)),
    line(heads.map((_, i) => (i === 0 ? "---" : "---:"))),
    ...rows.map((row) => line(row.map(markdownText))),
  ];
}
