import { readdirSync } from "node:fs";
import { constants, monitorEventLoopDelay, PerformanceObserver, performance } from "node:perf_hooks";
import { Counter, Gauge, Histogram, type Registry } from "prom-client";

/**
 * What prom-client's own default metrics tell of the process, under their names. They are measured here because those
 * start an observer and a timer that nothing can stop, and list every open socket at each scrape.
 * @returns stops what was started.
 */
export function measureProcess(registry: Registry): () => void {
  const registers = [registry];

  function gauge(name: string, help: string, read: () => number | undefined): void {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        const value = read();
        if (value !== undefined) this.set(value);
      },
    });
  }

  new Counter({
    name: "process_cpu_seconds_total",
    help: "User and system CPU time spent, seconds.",
    registers,
    collect() {
      const { user, system } = process.cpuUsage();
      this.reset();
      this.inc((user + system) / 1e6);
    },
  });
  gauge("process_start_time_seconds", "Start of the process, seconds since 1970.", () => performance.timeOrigin / 1000);
  gauge("process_resident_memory_bytes", "Resident memory, bytes.", () => process.memoryUsage.rss());
  gauge("process_open_fds", "Open file descriptors.", openDescriptors);
  gauge("nodejs_heap_size_total_bytes", "Size of the heap, bytes.", () => process.memoryUsage().heapTotal);
  gauge("nodejs_heap_size_used_bytes", "Used of the heap, bytes.", () => process.memoryUsage().heapUsed);
  gauge("nodejs_external_memory_bytes", "Memory outside of the heap, bytes.", () => process.memoryUsage().external);

  const delay = monitorEventLoopDelay({ resolution: 10 });
  delay.enable();
  const quantile = new Gauge({
    name: "nodejs_eventloop_lag_seconds",
    help: "Delay of the event loop since the last scrape, seconds.",
    labelNames: ["quantile"],
    registers,
    collect() {
      if (delay.count > 0) {
        for (const q of [0.5, 0.9, 0.99]) quantile.set({ quantile: q }, delay.percentile(100 * q) / 1e9);
        quantile.set({ quantile: 1 }, delay.max / 1e9);
      }
      delay.reset();
    },
  });

  const collections = new Histogram({
    name: "nodejs_gc_duration_seconds",
    help: "Garbage collections, seconds.",
    labelNames: ["kind"],
    buckets: [0.001, 0.01, 0.1, 1],
    registers,
  });
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      collections.observe({ kind: collectionKind(entry) }, entry.duration / 1000);
    }
  });
  observer.observe({ entryTypes: ["gc"] });

  return () => {
    delay.disable();
    observer.disconnect();
  };
}

/** Undefined where the platform does not tell. */
function openDescriptors(): number | undefined {
  try {
    // One of them is of reading this folder.
    return readdirSync("/proc/self/fd").length - 1;
  } catch {
    return undefined;
  }
}

const COLLECTION_KINDS: ReadonlyMap<unknown, string> = new Map([
  [constants.NODE_PERFORMANCE_GC_MAJOR, "major"],
  [constants.NODE_PERFORMANCE_GC_MINOR, "minor"],
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL, "incremental"],
  [constants.NODE_PERFORMANCE_GC_WEAKCB, "weakcb"],
]);

function collectionKind(entry: object): string {
  const detail = "detail" in entry ? entry.detail : undefined;
  const kind = typeof detail === "object" && detail !== null && "kind" in detail ? detail.kind : undefined;
  return COLLECTION_KINDS.get(kind) ?? "other";
}
