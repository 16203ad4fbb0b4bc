import { join } from "node:path";
import { destination, type Logger, pino, stdTimeFunctions } from "pino";
import { LOG_REDACTION, LOG_SERIALIZERS } from "../server/api/logging.ts";

export interface ServeLog {
  readonly logger: Logger;
  /** Writes what is left. */
  close(): void;
}

/** Its file in the run's folder. */
export const SERVE_LOG_FILE = "serve.log";

/**
 * The operator's log, a JSON object a line: into a file, or to standard error with "-". When the disk is full the log has
 * a gap, and the coordinator goes on.
 */
export function openServeLog(target: string | undefined, folder: string, verbose: boolean): ServeLog {
  const stream =
    target === "-"
      ? destination({ dest: 2, sync: true })
      : destination({ dest: target ?? join(folder, SERVE_LOG_FILE), mkdir: true, sync: false });
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
      try {
        stream.flushSync();
      } catch {
        // Nothing has been written, or nothing can be any more.
      }
      if (target !== "-") stream.end();
    },
  };
}
