/**
 * Whether a host, an address or a name without brackets, never leaves the machine. A name under .localhost is not among
 * them, for resolvers differ about it.
 */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host);
}

/** Whether to listen on it is to listen on every address of the machine. */
export function isWildcard(host: string): boolean {
  return WILDCARDS.has(host);
}

const WILDCARDS: ReadonlySet<string> = new Set(["", "0.0.0.0", "::", "0:0:0:0:0:0:0:0"]);

/** An address of IPv6 as it stands in a URL, in brackets; every other host as it is. */
export function bracketed(host: string): string {
  return host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
}

export function withoutBrackets(host: string): string {
  return host.startsWith("[") && host.endsWith("]") ? host.slice(1, -1) : host;
}
