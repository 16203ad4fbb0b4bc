import type { FastifyPluginAsyncZod } from "@fastify/type-provider-zod";
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import { z } from "zod";
import {
  ABANDON_REASONS,
  type AbandonReason,
  type ConnectionEnd,
  DROP_REASONS,
  type DropReason,
  REFUSALS,
  type Refusal,
  ROUND_OUTCOMES,
  type RoundOutcome,
  type Stage,
} from "../../shared/protocol/reasons.ts";
import { errorResponses } from "./errors.ts";
import { measureProcess } from "./process-metrics.ts";
import type { Services } from "./services.ts";

/** What is counted. Labels are words of the protocol's enumerations only, so their number is bounded. */
export interface Metrics {
  connectionOpened(): void;
  /** Once for each that was opened. */
  connectionEnded(reason: ConnectionEnd): void;
  /** A device that is not let in, or no longer; {@link connectionEnded} says it of the connection. */
  refused(reason: Refusal): void;
  /** One frame of `bytes` bytes: `in` from a device, `out` to one. */
  frame(direction: "in" | "out", bytes: number): void;
  /** Devices at this moment. */
  devices(counts: { readonly enrolled: number; readonly waiting: number }): void;
  deviceLost(reason: DropReason): void;
  stageDone(stage: Stage, seconds: number): void;
  roundEnded(outcome: RoundOutcome, reason?: AbandonReason): void;
  /** A peer was terminated because it did not read. */
  slowReader(): void;
  /** Readers of the events at this moment. */
  eventReaders(count: number): void;
  /** The Prometheus text format, and its content type. */
  scrape(): Promise<{ readonly contentType: string; readonly text: string }>;
  /** Stops what measures the process. */
  dispose(): void;
}

const STAGE_BUCKETS = [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300];

export function createMetrics(): Metrics {
  const registry = new Registry();
  const registers = [registry];
  const stopMeasuring = measureProcess(registry);

  /** One child for each value of its label, so that each is there, with 0, from the start. */
  function counters<Label extends string>(name: string, help: string, label: string, values: readonly Label[]) {
    const counter = new Counter({ name, help, labelNames: [label], registers });
    const children = new Map(values.map((value) => [value, counter.labels({ [label]: value })]));
    for (const child of children.values()) child.inc(0);
    return (value: Label, by = 1): void => children.get(value)?.inc(by);
  }

  /** Read when it is asked for: counting a frame in the library costs more than queueing it. */
  function trafficCounter(name: string, help: string, what: "frames" | "bytes"): void {
    new Counter({
      name,
      help,
      labelNames: ["direction"],
      registers,
      collect() {
        this.reset();
        for (const direction of ["in", "out"] as const) this.inc({ direction }, traffic[direction][what]);
      },
    });
  }

  const refusals = Object.keys(REFUSALS) as Refusal[];
  const open = new Gauge({ name: "murmuration_connections_open", help: "Connections of devices.", registers });
  const opened = new Counter({
    name: "murmuration_connections_total",
    help: "Connections of devices that were opened.",
    registers,
  });
  const ended = counters<ConnectionEnd>(
    "murmuration_connections_ended_total",
    "Connections of devices that ended.",
    "reason",
    ["left", "paced", ...refusals],
  );
  const refusedBy = counters("murmuration_refusals_total", "Devices that were not let in.", "reason", refusals);
  const traffic = { in: { frames: 0, bytes: 0 }, out: { frames: 0, bytes: 0 } };
  trafficCounter("murmuration_frames_total", "Frames of devices.", "frames");
  trafficCounter("murmuration_frame_bytes_total", "Bytes of frames.", "bytes");
  const enrolled = new Gauge({ name: "murmuration_devices_enrolled", help: "Devices not revoked.", registers });
  const waiting = new Gauge({ name: "murmuration_devices_waiting", help: "Devices in no round.", registers });
  const lost = counters("murmuration_devices_lost_total", "Devices that left a round.", "reason", DROP_REASONS);
  const rounds = new Counter({
    name: "murmuration_rounds_total",
    help: "Rounds that ended.",
    labelNames: ["outcome", "reason"],
    registers,
  });
  for (const outcome of ROUND_OUTCOMES) {
    for (const reason of outcome === "committed" ? [""] : ABANDON_REASONS) rounds.inc({ outcome, reason }, 0);
  }
  const stages = new Histogram({
    name: "murmuration_stage_seconds",
    help: "Stages of rounds, seconds.",
    labelNames: ["stage"],
    buckets: STAGE_BUCKETS,
    registers,
  });
  const slow = new Counter({
    name: "murmuration_slow_readers_total",
    help: "Peers that were terminated because they did not read.",
    registers,
  });
  const readers = new Gauge({ name: "murmuration_event_readers", help: "Readers of the events.", registers });

  return {
    connectionOpened() {
      open.inc();
      opened.inc();
    },
    connectionEnded(reason) {
      open.dec();
      ended(reason);
    },
    refused: (reason) => refusedBy(reason),
    frame(direction, length) {
      const counted = traffic[direction];
      counted.frames += 1;
      counted.bytes += length;
    },
    devices(counts) {
      enrolled.set(counts.enrolled);
      waiting.set(counts.waiting);
    },
    deviceLost: (reason) => lost(reason),
    stageDone: (stage, seconds) => stages.observe({ stage }, seconds),
    roundEnded: (outcome, reason) => rounds.inc({ outcome, reason: reason ?? "" }),
    slowReader: () => slow.inc(),
    eventReaders: (count) => readers.set(count),
    scrape: async () => ({ contentType: registry.contentType, text: await registry.metrics() }),
    dispose: stopMeasuring,
  };
}

/** What Prometheus asks for. */
export function metricsRoutes(services: Pick<Services, "metrics" | "registry" | "devices">): FastifyPluginAsyncZod {
  const { metrics, registry, devices } = services;
  return async (app) => {
    app.get(
      "/metrics",
      {
        logLevel: "warn",
        schema: {
          summary: "Metrics in the Prometheus text format",
          produces: ["text/plain"],
          response: { 200: z.string(), ...errorResponses },
        },
      },
      async (_request, reply) => {
        metrics.devices({ enrolled: registry.enrolled(), waiting: devices.waiting() });
        const { contentType, text } = await metrics.scrape();
        return reply.type(contentType).send(text);
      },
    );
  };
}
