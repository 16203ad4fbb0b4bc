import type { IncomingHttpHeaders } from "node:http";
import { networkInterfaces } from "node:os";
import { MurmurError } from "../../shared/protocol/errors.ts";
import { isLoopback, isWildcard, withoutBrackets } from "../../shared/protocol/hosts.ts";

/** The names under which this coordinator may be addressed. */
export interface OwnNames {
  /** Whether a Host header, or the audience that a device signed, means this coordinator: "127.0.0.1:8080". */
  accepts(hostOrAudience: string): boolean;
}

export interface OwnNamesOptions {
  /** Names besides its own addresses, as a proxy or the DNS has them: with a port, or without one for any. */
  readonly names: readonly string[];
  /** The address or name that it listens on. */
  readonly host: string;
  /** The port that it listens on; asked when a name is checked, for it may not be known before. */
  port(): number;
  /** The addresses of this machine's interfaces, now. */
  interfaces(): readonly string[];
}

/**
 * A page may make its own name resolve to this machine (DNS rebinding), and a hostile coordinator may relay what a
 * device signs for it. Against both, what comes under a name that is not this coordinator's is not listened to.
 */
export function createOwnNames({ names, host, port, interfaces }: OwnNamesOptions): OwnNames {
  const configured = new Set(names.map((name) => name.toLowerCase()));
  const bound = withoutBrackets(host.toLowerCase());
  const wildcard = isWildcard(bound);

  function isOwnAddress(name: string): boolean {
    if (name === bound && !wildcard) return true;
    if (wildcard) return isLoopback(name) || interfaces().includes(name);
    return isLoopback(bound) && isLoopback(name);
  }

  return {
    accepts(text) {
      const authority = parseAuthority(text);
      if (authority === undefined) return false;
      const { name, port: asked } = authority;
      if (configured.has(name)) return true;
      const ports = asked === undefined ? DEFAULT_PORTS : [asked];
      if (ports.some((candidate) => configured.has(`${name}:${candidate}`))) return true;
      return ports.includes(port()) && isOwnAddress(withoutBrackets(name));
    },
  };
}

/**
 * Refuses what a foreign page sends through a browser: devices and command lines send neither Origin nor Sec-Fetch-Site.
 * @throws {MurmurError} `origin-refused`
 */
export function requireOwnOrigin(headers: IncomingHttpHeaders, names: OwnNames): void {
  if (headers.host === undefined || !names.accepts(headers.host)) {
    throw new MurmurError("origin-refused", "The Host that the request names is not this coordinator's.");
  }
  const { origin } = headers;
  if (origin !== undefined && !isOwnOrigin(origin, names)) {
    throw new MurmurError("origin-refused", "The page that made the request is not this coordinator's.");
  }
  if (headers["sec-fetch-site"] === "cross-site") {
    throw new MurmurError("origin-refused", "The request was made by a page of another site.");
  }
}

function isOwnOrigin(origin: string, names: OwnNames): boolean {
  const host = /^https?:\/\/([^/?#]+)$/.exec(origin)?.[1];
  return host !== undefined && names.accepts(host);
}

/** What a client leaves away. */
const DEFAULT_PORTS: readonly number[] = [80, 443];

const AUTHORITY = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::([0-9]{1,5}))?$/;

/** The name keeps its brackets, if it has some. */
function parseAuthority(text: string): { readonly name: string; readonly port: number | undefined } | undefined {
  const [, name, port] = AUTHORITY.exec(text.toLowerCase()) ?? [];
  if (name === undefined) return undefined;
  return { name, port: port === undefined ? undefined : Number(port) };
}

/** The addresses of this machine, without those of its loopback interface. */
export function ownAddresses(): string[] {
  return Object.values(networkInterfaces()).flatMap((entries) =>
    (entries ?? []).filter(({ internal }) => !internal).map(({ address }) => address.toLowerCase()),
  );
}
