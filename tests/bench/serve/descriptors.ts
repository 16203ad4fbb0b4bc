import { execFileSync } from "node:child_process";

/** Descriptors that a process of the benchmark needs besides its sockets. */
const SPARE = 128;

/** How many files and sockets a process may have open here. */
export function descriptorLimit(): number {
  const limit = execFileSync("sh", ["-c", "ulimit -n"], { encoding: "utf8" }).trim();
  return limit === "unlimited" ? Number.POSITIVE_INFINITY : Number(limit);
}

/** As many sockets as a process may have of `wanted`; fewer are a round number. */
export function affordableSockets(wanted: number, limit: number): number {
  const most = limit - SPARE;
  if (wanted <= most) return wanted;
  return most >= 100 ? Math.floor(most / 100) * 100 : Math.max(0, most);
}
