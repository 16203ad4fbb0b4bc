/** How urgently a person wants the run to stop. */
export type StopRequest = "none" | "after-round" | "now";

export interface StopSignal {
  readonly request: StopRequest;
  /** Tells the listener of each change until the returned function is called. */
  onChange(listener: (request: StopRequest) => void): () => void;
}

export interface StopSwitch extends StopSignal {
  ask(request: Exclude<StopRequest, "none">): void;
}

export function createStopSwitch(): StopSwitch {
  let current: StopRequest = "none";
  const listeners = new Set<(request: StopRequest) => void>();
  return {
    get request() {
      return current;
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    ask(request) {
      // What was asked at once is not taken back.
      if (current === request || current === "now") return;
      current = request;
      for (const listener of [...listeners]) listener(request);
    },
  };
}
