import type { ComponentChildren } from "preact";
import { render } from "preact-render-to-string";
import { CHART_CSS } from "../charts/series-style.ts";

const PAGE_CSS = `
body { margin: 0 auto; max-width: 46rem; padding: 1.5rem 1rem 4rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.2; } h2 { font-size: 1.25rem; margin-top: 2.5rem; } h3 { font-size: 1.05rem; }
.lead { font-size: 1.2rem; } .stamp { border: 2px solid currentColor; padding: .1rem .4rem; margin-right: .4rem; font-weight: 700;
  display: inline-block; }
figure { margin: 1.5rem 0; break-inside: avoid; } figcaption { color: var(--faint); font-size: .92rem; }
.table, .wide { overflow-x: auto; } table { border-collapse: collapse; font-size: .88rem; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .2rem .6rem; border-bottom: 1px solid var(--rule); } th:first-child, .words { text-align: left; }
th[scope="row"], td:not(.words):not(:last-child) { white-space: nowrap; }
code { font-size: .9em; overflow-wrap: anywhere; } img { image-rendering: pixelated; }
@media print { body { max-width: none; padding: 0; font-size: 11pt; } 
  /* Closed details are hidden as content in newer browsers, and as elements in older ones. */
  details::details-content { content-visibility: visible; block-size: auto; } details > *:not(summary) { display: block; }
  summary { display: none; } .table, .wide { overflow: visible; } tr, li { break-inside: avoid; } h2, h3 { break-after: avoid; } }
`;

/** A page that is one file: it opens from a disk, prints, and asks nobody for anything. */
export function reportPage(title: string, body: ComponentChildren): string {
  const page = (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>{title}</title>
        {/* The project's own style sheet; escaped, it would not be one. */}
        <style dangerouslySetInnerHTML={{ __html: CHART_CSS + PAGE_CSS }} />
      </head>
      <body>
        <main>{body}</main>
      </body>
    </html>
  );
  return `<!doctype html>\n${render(page)}\n`;
}
