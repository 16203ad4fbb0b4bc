import { join } from "node:path";
import { destination, type Logger, pino, stdTimeFunctions } from "pino";
import { LOG_REDACTION, LOG_SERIALIZERS } from "../server/api/logging.ts";

export interface ServeLog {
  readonly logger: Logger;
  close(): void;
}

/** Its file in the run's folder. */
export const SERVE_LOG_FILE = "serve.log";

/**
 * The operator's log, a JSON object a line: into a file, or to standard error with "-". When the disk is full the log has
 * a gap, and the coordinator goes on.
 */
export function openServeLog(target: string | undefined, folder: string, verbose: boolean): ServeLog {
  // Synchronous: a process that ends has then written what it said, and has opened what it writes to.
  const stream = destination(
    target === "-"
      ? { dest: 2, sync: true }
      : { dest: target ?? join(folder, SERVE_LOG_FILE), mkdir: true, sync: true },
  );
  stream.on("error", () => {});
  const logger = pino(
    {
      level: verbose ? "debug" : "info",
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      redact: LOG_REDACTION,
      serializers: LOG_SERIALIZERS,
    },
    stream,
  );
  return {
    logger,
    close() {
      if (target !== "-") stream.end();
    },
  };
}
