import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { murmur } from "./memory-edge.ts";

interface Reference {
  readonly n: number;
  readonly corrupted_fraction: number;
  readonly dropout_fraction: number;
  readonly adversary?: string;
  readonly degree: number | null;
  readonly threshold: number | null;
}

const reference: { finder: Reference[]; placement_proof: Reference[] } = JSON.parse(
  readFileSync(new URL("../vectors/graph_parameters.json", import.meta.url), "utf8"),
);

function questions(rows: readonly Reference[], rule: string) {
  return rows.map((row) => ({
    cohort: row.n,
    corrupted: row.corrupted_fraction,
    dropout: row.dropout_fraction,
    ...(row.adversary === undefined ? {} : { adversary: row.adversary }),
    rule,
  }));
}

describe("secagg parameters", () => {
  it.each([
    ["finder", reference.finder],
    ["placement-proof", reference.placement_proof],
  ])("answers an array on standard input in its order: %s", async (rule, rows) => {
    const { exitCode, stdout, stderr } = await murmur(["secagg", "parameters"], {
      stdin: JSON.stringify(questions(rows, rule)),
    });
    expect(exitCode).toBe(0);
    expect(stderr).toBe("");
    const answers: { degree: number | null; threshold: number | null; graph: object }[] = JSON.parse(stdout);
    expect(answers.map(({ degree, threshold }) => [degree, threshold])).toEqual(
      rows.map((row) => [row.degree, row.threshold]),
    );
    for (const answer of answers) expect(Object.keys(answer)).toEqual(["degree", "threshold", "graph"]);
  });

  it("answers one question for a person and for a machine", async () => {
    const question = [
      "--cohort",
      "100",
      "--corrupted",
      "0.05",
      "--dropout",
      "0.1",
      "--adversary",
      "semi-malicious",
      "--rule",
      "finder",
    ];
    const { exitCode, stdout } = await murmur(["secagg", "parameters", ...question]);
    expect(exitCode).toBe(0);
    expect(stdout).toContain("degree     26");
    expect(stdout).toContain("threshold  16");
    const document = JSON.parse((await murmur(["secagg", "parameters", ...question, "--format", "json"])).stdout);
    expect(document).toMatchObject({
      cohort: 100,
      degree: 26,
      threshold: 16,
      graph: { kind: "harary", rule: "placement-proof" },
    });
  });

  it("says what the protocol does where a rule knows no sparse graph", async () => {
    const { stdout } = await murmur([
      "secagg",
      "parameters",
      "--cohort",
      "3",
      "--corrupted",
      "0.4",
      "--dropout",
      "0.4",
    ]);
    expect(stdout).toContain("The protocol");
  });

  it.each([
    [["--cohort", "ten"], "--cohort: expected a whole number"],
    [["--cohort", "0"], "--cohort: must be at least 1"],
    [["--cohort", "1.5"], "--cohort: expected a whole number"],
    [["--cohort", "10", "--corrupted", "1"], "--corrupted: must be less than 1"],
    [["--cohort", "10", "--dropout", "-0.1"], "--dropout: must be at least 0"],
    [["--cohort", "10", "--rule", "best"], "--rule: must be finder or placement-proof"],
    [["--cohort", "10", "--adversary", "evil"], "--adversary: must be semi-honest or semi-malicious"],
    [["--cohort", "10", "--sigma", "x"], "--sigma: expected a number"],
  ])("refuses %j", async (flags, message) => {
    const { exitCode, stderr } = await murmur(["secagg", "parameters", ...flags]);
    expect(exitCode).toBe(2);
    expect(stderr).toContain(message);
  });

  it.each([
    ['[{"cohort": 10}, {"cohort": "x"}]', "question 1: cohort"],
    ['[{"cohort": 10}, null]', "question 1: expected an object"],
    ['[{"corrupted": 0.1}]', "question 0: cohort"],
    ['{"cohort": 10}', "must be a JSON array"],
    ["[", "not JSON"],
    ["", "not JSON"],
  ])("refuses standard input %j, and names the question", async (stdin, message) => {
    const { exitCode, stdout, stderr } = await murmur(["secagg", "parameters"], { stdin });
    expect(exitCode).toBe(2);
    expect(stdout).toBe("");
    expect(stderr).toContain(message);
  });

  it("answers no question with none", async () => {
    expect(JSON.parse((await murmur(["secagg", "parameters"], { stdin: "[]" })).stdout)).toEqual([]);
  });

  it("does not wait on a terminal for questions that nobody types", async () => {
    expect((await murmur(["secagg", "parameters"])).exitCode).toBe(2);
  });
});
