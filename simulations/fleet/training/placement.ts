/**
 * Longest-first placement (Graham 1969): jobs in descending order of size, each to the worker with the least to do so
 * far. Ties go to the job and the worker that come first, so the plan is a function of the sizes alone.
 *
 * @returns by worker, the indices of its jobs, in the order in which it does them
 */
export function placeLongestFirst(sizes: readonly number[], workers: number): number[][] {
  const order = sizes.map((_, job) => job).sort((a, b) => sizes[b] - sizes[a] || a - b);
  const loads = new Array<number>(workers).fill(0);
  const plan: number[][] = Array.from({ length: workers }, () => []);
  for (const job of order) {
    const worker = leastLoaded(loads);
    plan[worker].push(job);
    loads[worker] += sizes[job];
  }
  return plan;
}

export function leastLoaded(loads: readonly number[]): number {
  let least = 0;
  for (let worker = 1; worker < loads.length; worker++) if (loads[worker] < loads[least]) least = worker;
  return least;
}
