/** A stream that the command line writes to. Writing after the reader has gone is silently nothing. */
export interface OutputStream {
  write(text: string): void;
  readonly isTTY: boolean;
  /** Width of the terminal; 80 where there is none. */
  readonly columns: number;
  readonly rows: number;
  /** True once the reader has gone (EPIPE). */
  readonly closed: boolean;
}

export type Signal = "SIGINT" | "SIGTERM";

/**
 * Everything that a command touches of the process it runs in. `main.ts` makes the real one; tests make their own, so
 * that a command line is a function from arguments and an edge to an exit code.
 */
export interface Edge {
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  readonly stdin: {
    readonly isTTY: boolean;
    /** All of standard input. */
    read(): Promise<string>;
    /** One line typed by a person. */
    question(prompt: string): Promise<string>;
  };
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** The command line as it was typed, for the stamp. */
  readonly argv: readonly string[];
  /** Threads that the machine runs at once. */
  readonly cores: number;
  /** Milliseconds since the epoch. */
  clock(): number;
  /** Calls back about every `milliseconds` until the returned function is called; never keeps the process alive. */
  every(milliseconds: number, callback: () => void): () => void;
  /** Lets what waits outside in: signals, timers, writes. */
  breathe(): Promise<void>;
  /** Takes over the handling of signals until the returned function is called. */
  onSignal(handler: (signal: Signal) => void): () => void;
}
