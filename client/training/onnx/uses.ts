import type { TracedKernel, TracedValue } from "./kernel.ts";

/** What made a value that is read once, looking through kernels that only rename it. */
export function soleProducer(value: TracedValue, uses: ReadonlyMap<TracedValue, number>): TracedKernel | undefined {
  if (uses.get(value) !== 1 || value.source.kind !== "kernel") return undefined;
  const { kernel } = value.source;
  return ["Identity", "Reshape"].includes(kernel.name) ? soleProducer(kernel.inputs.x, uses) : kernel;
}

/** How many kernels and outputs read each value. */
export function useCounts(outputs: readonly TracedValue[]): ReadonlyMap<TracedValue, number> {
  const counts = new Map<TracedValue, number>();
  const waiting = [...outputs];
  for (let value = waiting.pop(); value !== undefined; value = waiting.pop()) {
    const seen = counts.get(value) ?? 0;
    counts.set(value, seen + 1);
    if (seen === 0 && value.source.kind === "kernel") waiting.push(...Object.values(value.source.kernel.inputs));
  }
  return counts;
}

/** The outputs and all that they are computed from, each once, what is read before what reads it. */
export function orderOf(outputs: readonly TracedValue[]): TracedValue[] {
  const order: TracedValue[] = [];
  const seen = new Set<TracedValue>();
  // A value waits twice: to have its inputs put before it, and then to be put itself.
  const waiting = outputs.map((value) => ({ value, ready: false }));
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { value, ready } = next;
    if (ready) order.push(value);
    else if (!seen.has(value)) {
      seen.add(value);
      waiting.push({ value, ready: true });
      if (value.source.kind !== "kernel") continue;
      for (const input of Object.values(value.source.kernel.inputs)) waiting.push({ value: input, ready: false });
    }
  }
  return order;
}
