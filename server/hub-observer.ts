import type { Metrics } from "./api/metrics.ts";
import type { HubObserver } from "./connections/device-hub.ts";
import type { Log } from "./event-log-lines.ts";

/** Counts what happens to connections, and tells the operator what is out of the ordinary. */
export function hubObserver(metrics: Metrics, log: Log): HubObserver {
  return {
    opened: () => metrics.connectionOpened(),
    admitted: (device, address, software) => log.debug({ device, address, software }, "device connected"),
    refused(reason, address, device) {
      metrics.refused(reason);
      const fields = { reason, address, ...(device === undefined ? {} : { device }) };
      // When the coordinator itself ends, it sends everybody away.
      if (reason === "stopping" || reason === "finished") log.debug(fields, "device sent away");
      else log.info(fields, "device refused");
    },
    ended(end, device) {
      metrics.connectionEnded(end);
      log.debug({ end, ...(device === undefined ? {} : { device }) }, "connection ended");
    },
    received: (bytes) => metrics.frame("in", bytes),
    sent: (bytes) => metrics.frame("out", bytes),
  };
}
