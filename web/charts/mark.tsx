import type { SeriesStyle } from "./series-style.ts";

const SIZE = 4.5;

/** The shape of a series' points. */
export function Mark({ x, y, style }: { readonly x: number; readonly y: number; readonly style: SeriesStyle }) {
  const { mark, colour } = style;
  const r = SIZE;
  switch (mark) {
    case "circle":
      return <circle cx={x} cy={y} r={r} fill={colour} />;
    case "square":
      return <rect x={x - r} y={y - r} width={2 * r} height={2 * r} fill={colour} />;
    case "triangle":
      return <path d={`M${x} ${y - r - 1}L${x + r + 1} ${y + r}H${x - r - 1}Z`} fill={colour} />;
    case "diamond":
      return (
        <path d={`M${x} ${y - r - 1.5}L${x + r + 1.5} ${y}L${x} ${y + r + 1.5}L${x - r - 1.5} ${y}Z`} fill={colour} />
      );
    case "cross":
      return (
        <path
          d={`M${x - r} ${y - r}L${x + r} ${y + r}M${x + r} ${y - r}L${x - r} ${y + r}`}
          stroke={colour}
          stroke-width={2}
        />
      );
  }
}
