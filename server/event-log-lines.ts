import type { RunEvent } from "../shared/protocol/events.ts";

/** The part of a logger that the coordinator uses. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** An event as a line of the operator's log. Events hold nothing secret, so neither does the line. */
export function logEvent(log: Log, event: RunEvent): void {
  const { round } = event;
  switch (event.type) {
    case "run.started":
      log.info({ run: event.run, ...event.p.summary }, "run started");
      return;
    case "run.resumed":
      log.info({ run: event.run, spent: event.p.spent }, "run resumed");
      return;
    case "run.done":
      log.info({ run: event.run, ...event.p }, "run ended");
      return;
    case "fleet.presence":
      log.info(event.p, "waiting for devices");
      return;
    case "round.started":
      log.info({ round, ...event.p }, "round started");
      return;
    case "round.stage":
      log.debug({ round, stage: event.p.stage, expected: event.p.expected }, "stage");
      return;
    case "round.done":
      log.info({ ...event.p, committed: event.p.round, round }, "round committed");
      return;
    case "round.abandoned":
      log.warn({ round, ...event.p }, "round abandoned");
      return;
    case "device.lost":
      log.info({ round, ...event.p }, "device lost");
      return;
    case "log":
      log[event.p.level]({ round }, event.p.text);
      return;
    case "device.state":
      return;
  }
}
