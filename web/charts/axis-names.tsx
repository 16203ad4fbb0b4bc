import type { NameLayout } from "./axis-labels.ts";
import { CHART_TEXT } from "./text-width.ts";

/** Labels under an axis that lies at `y`. */
export function AxisNames({ layout: { turned, labels }, y }: { readonly layout: NameLayout; readonly y: number }) {
  return (
    <>
      {labels.map(({ at, text }) =>
        turned ? (
          <text key={at} transform={`translate(${at + CHART_TEXT / 3} ${y + 8}) rotate(-90)`} text-anchor="end">
            {text}
          </text>
        ) : (
          <text key={at} x={at} y={y + 20} text-anchor="middle">
            {text}
          </text>
        ),
      )}
    </>
  );
}
