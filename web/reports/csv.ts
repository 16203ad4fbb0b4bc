/** Comma-separated values (RFC 4180), one header line. */
export function csvText(heads: readonly string[], rows: readonly (readonly (string | number | boolean)[])[]): string {
  return [heads, ...rows].map((row) => `${row.map(field).join(",")}\r\n`).join("");
}

function field(value: string | number | boolean): string {
  const text = String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
