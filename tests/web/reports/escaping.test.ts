import { parse } from "csv-parse/sync";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { csvText } from "../../../web/reports/csv.ts";
import { markdownCode, markdownTable, markdownText } from "../../../web/reports/markdown.ts";

describe("comma-separated values", () => {
  it("are read back as they were written, whatever is in them", () => {
    const text = fc.string({ unit: fc.constantFrom("a", ",", '"', "\n", "\r", ";", "ε", " ") });
    fc.assert(
      fc.property(fc.array(fc.tuple(text, text), { minLength: 1, maxLength: 5 }), (rows) => {
        const csv = csvText(["x", "y"], rows);
        // The library trims nothing and skips nothing; the line's end is that of RFC 4180.
        expect(parse(csv, { record_delimiter: "\r\n", relax_column_count: false })).toEqual([["x", "y"], ...rows]);
      }),
    );
  });

  it("quote only what has to be quoted", () => {
    expect(
      csvText(
        ["a", "b"],
        [
          ["1,5", 'say "no"'],
          [2, true],
        ],
      ),
    ).toBe('a,b\r\n"1,5","say ""no"""\r\n2,true\r\n');
  });
});

describe("Markdown", () => {
  it("keeps what is written from being anything but text", () => {
    expect(markdownText("a|b *c* _d_ `e` [f](g) <script> \\ & i")).toBe(
      "a\\|b \\*c\\* \\_d\\_ \\`e\\` \\[f\\](g) \\<script\\> \\\\ &amp; i",
    );
    expect(markdownText("one\n\n# two")).toBe("one # two");
  });

  it("has as many columns in every line of a table as the head has", () => {
    const anything = fc.string({ unit: fc.constantFrom("a", "|", "\\", "\n", "`", " ") });
    fc.assert(
      fc.property(fc.array(fc.tuple(anything, anything), { maxLength: 4 }), (rows) => {
        const lines = markdownTable({ heads: ["x", "y"], rows });
        expect(lines).toHaveLength(rows.length + 2);
        for (const line of lines) {
          expect(line).not.toMatch(/[\r\n]/);
          // A bar after an even number of backslashes ends a cell.
          expect([...line.matchAll(/(?<!\\)(?:\\\\)*\|/g)]).toHaveLength(3);
        }
      }),
    );
  });

  it("has commands with backticks in them as code", () => {
    expect(markdownCode("murmur bench a.yaml")).toBe("`murmur bench a.yaml`");
    expect(markdownCode("a `b` c")).toBe("``a `b` c``");
    expect(markdownCode("`b`")).toBe("`` `b` ``");
  });
});
