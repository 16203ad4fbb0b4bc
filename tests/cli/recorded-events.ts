import type { DeviceState, EventPayloads, EventType, RunEvent } from "../../shared/protocol/events.ts";
import { STAGES, type Stage } from "../../shared/protocol/reasons.ts";

/** Events of a small run, as the run emits them: three rounds of 26 invited, the second abandoned, the third under way. */
export function recordedEvents(start = 1_800_000_000_000): RunEvent[] {
  const events: RunEvent[] = [];
  let t = start;
  function emit<T extends EventType>(type: T, p: EventPayloads[T], round?: number): void {
    const envelope = {
      v: 1,
      seq: events.length + 1,
      t,
      run: "7f3a",
      ...(round === undefined ? {} : { round }),
      type,
      p,
    };
    events.push(envelope as unknown as RunEvent);
    t += 20;
  }
  const device = (i: number) => `d-${String(i * 3).padStart(4, "0")}`;
  const devices = Array.from({ length: 26 }, (_, i) => device(i));
  const states = (state: DeviceState, ids: readonly string[]) => {
    for (const id of ids) emit("device.state", { changes: [[id, state]] }, round);
  };
  const stage = (
    name: Stage,
    counts: { trained: number; keyed: number; masked: number; shares: number; lost: number },
  ) => emit("round.stage", { stage: name, expected: 26 - counts.lost, counts: { selected: 26, ...counts } }, round);
  let round = 0;

  emit("run.started", {
    provenance: {
      kind: "live",
      run: "7f3a",
      configHash: "ab".repeat(32),
      seed: 42,
      version: "0.1.0",
      git: "unknown",
      startedAt: new Date(start).toISOString(),
    },
    summary: {
      dataset: "mnist",
      partition: "2 shards a device",
      model: "2nn",
      parameters: 199_210,
      classes: 10,
      devices: 100,
      cohort: 20,
      invited: 26,
      rounds: 60,
      protection: "curious-server",
      secagg: { graph: "complete", degree: 25, threshold: 17, bits: 22 },
      stamps: [],
    },
  });

  function begin(number: number): void {
    round = number;
    emit("round.started", { invited: 26 }, round);
    emit("device.state", { changes: devices.map((id) => [id, "selected"] as const) }, round);
    stage("configure", { trained: 0, keyed: 0, masked: 0, shares: 0, lost: 0 });
    states("training", devices);
    stage("train", { trained: 0, keyed: 0, masked: 0, shares: 0, lost: 0 });
  }

  begin(1);
  states("trained", devices);
  for (const name of STAGES.slice(3, 6)) stage(name, { trained: 26, keyed: 26, masked: 0, shares: 0, lost: 0 });
  states("masked", devices.slice(0, 24));
  for (const id of devices.slice(24)) {
    emit("device.lost", { id, at: "mask", reason: "disconnected" }, round);
    states("lost", [id]);
  }
  for (const name of STAGES.slice(6)) stage(name, { trained: 26, keyed: 26, masked: 24, shares: 0, lost: 2 });
  states("summed", devices.slice(0, 24));
  emit(
    "round.done",
    {
      round: 1,
      acc: 0.4512,
      loss: 1.9321,
      eps: null,
      cohort: 24,
      lost: 2,
      up: 13_300_000,
      down: 20_800_000,
      ms: 1900,
      drops: { disconnected: 2 },
      seconds: { train: 1.5, mask: 0.4 },
      exact: true,
    },
    round,
  );

  begin(2);
  for (const id of devices.slice(0, 12)) emit("device.lost", { id, at: "train", reason: "deadline" }, round);
  emit("round.abandoned", { reason: "below-quorum", stage: "train", have: 14, need: 16, detail: "" }, round);

  begin(3);
  states("trained", devices.slice(0, 18));
  return events;
}
