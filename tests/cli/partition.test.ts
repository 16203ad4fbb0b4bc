import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { murmur, temporaryFolder } from "./memory-edge.ts";

const ON_BLOBS = ["--set", "task.dataset=blobs", "--set", "fleet.devices=40"];

describe("murmur partition", () => {
  it("shows devices by labels, what is folded, and how unlike they are", async () => {
    const args = ["partition", ...ON_BLOBS, "--set", "task.partition={ kind: shards, perDevice: 1 }"];
    const { exitCode, stdout } = await murmur(args);
    expect(exitCode).toBe(0);
    const lines = stdout.split("\n");
    expect(lines[0]).toBe("Who holds what: blobs, 1 shards a device");
    // Forty shards of fifty examples, four of each label: a device holds one label.
    const rows = lines.filter((line) => line.includes("▬"));
    expect(rows).toHaveLength(20);
    expect(rows.map((row) => row.split("▬")[0].replaceAll(/[^█·]/g, "").indexOf("█") / 2)).toEqual([
      0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9,
    ]);
    expect(stdout).toContain("20 of 40 devices, in the order of the label they have most of");
    expect(stdout).toContain("labels   0.90 of 1");
    expect(stdout).toContain("sizes    0.00 of 1: Gini coefficient; 50 to 50 examples, median 50");
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
  });

  it("gives the same as data, and draws it", async () => {
    const cwd = temporaryFolder();
    writeFileSync(
      join(cwd, "c.yaml"),
      "task: { dataset: blobs, partition: { kind: quantity, sigma: 1 } }\nfleet: { devices: 40 }\n",
    );
    const { stdout } = await murmur(["partition", "c.yaml", "--format", "json", "--svg", "plot.svg"], { cwd });
    const { devices, labels, heterogeneity } = JSON.parse(stdout);
    expect(labels).toEqual(["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]);
    expect(devices).toHaveLength(40);
    let examples = 0;
    for (const device of devices) {
      expect(device.counts.reduce((a: number, b: number) => a + b)).toBe(device.examples);
      examples += device.examples;
    }
    expect(examples).toBe(2000);
    expect(heterogeneity.sizeGini).toBeGreaterThan(0.3);
    expect(readFileSync(join(cwd, "plot.svg"), "utf8")).toContain("40 devices, in order of size");
  });

  it("says where it cannot draw", async () => {
    const { exitCode, stderr } = await murmur(["partition", ...ON_BLOBS, "--svg", "."], { cwd: temporaryFolder() });
    expect([exitCode, stderr]).toEqual([4, expect.stringContaining("Choose another file with --svg")]);
  });

  it("says what cannot be dealt, before a run would", async () => {
    const { exitCode, stderr } = await murmur(["partition", ...ON_BLOBS, "--set", "task.partition.kind=natural"]);
    expect(exitCode).toBe(3);
    expect(stderr).toContain("does not say whose its examples are");
  });
});
