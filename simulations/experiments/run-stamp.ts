/**
 * Where and with what a run was started, as far as only the edge of the process can know (`demo.md` 5.4). The run adds
 * what it knows itself: hashes of configuration, data and model, engine, seeds, end, status.
 */
export interface RunStamp {
  /** Version of the package. */
  readonly tool: string;
  /** Null outside a git work tree. */
  readonly git: { readonly commit: string; readonly dirty: boolean } | null;
  readonly node: string;
  /** Platform, release and architecture. */
  readonly os: string;
  readonly cpu: string;
  readonly cores: number;
  /** SHA-256 of package-lock.json, hexadecimal; null where there is none. */
  readonly lockHash: string | null;
  /** The command line after `murmur`. */
  readonly argv: readonly string[];
  /** UTC, ISO 8601. */
  readonly startedAt: string;
}
