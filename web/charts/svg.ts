/** Roles of colour, each 3 : 1 or better on white (`demo.md`, "Palette"). Text is ink beside a coloured mark. */
export const PAPER_COLOURS = {
  paper: "#ffffff",
  ink: "#111827",
  faint: "#6b7280",
  rule: "#e5e7eb",
  device: "#0072b2",
} as const;

export const FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif";

/** An SVG document, readable without its colours: `title` and `description` are what a screen reader says. */
export function svgDocument(
  size: { readonly width: number; readonly height: number },
  texts: { readonly title: string; readonly description: string },
  body: readonly string[],
): string {
  const { width, height } = size;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-labelledby="title description" font-family="${FONT}" font-size="12" fill="${PAPER_COLOURS.ink}">`,
    `<title id="title">${escaped(texts.title)}</title>`,
    `<desc id="description">${escaped(texts.description)}</desc>`,
    `<rect width="${width}" height="${height}" fill="${PAPER_COLOURS.paper}"/>`,
    ...body,
    "</svg>",
    "",
  ].join("\n");
}

export interface TextStyle {
  readonly anchor?: "start" | "middle" | "end";
  readonly size?: number;
  readonly weight?: number;
  readonly fill?: string;
}

export function svgText(x: number, y: number, text: string, { anchor, size, weight, fill }: TextStyle = {}): string {
  const attributes = [
    ...(anchor === undefined ? [] : [` text-anchor="${anchor}"`]),
    ...(size === undefined ? [] : [` font-size="${size}"`]),
    ...(weight === undefined ? [] : [` font-weight="${weight}"`]),
    ...(fill === undefined ? [] : [` fill="${fill}"`]),
  ];
  return `<text x="${rounded(x)}" y="${rounded(y)}"${attributes.join("")}>${escaped(text)}</text>`;
}

/** Two decimals are finer than any screen. */
export function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}

/** As XML text; characters that XML has no place for are shown as the replacement character. */
function escaped(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones to replace
  const printable = text.replaceAll(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, "\ufffd");
  return printable.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
