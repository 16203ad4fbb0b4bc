import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { MurmurError } from "../shared/protocol/errors.ts";
import { isLoopback, withoutBrackets } from "../shared/protocol/hosts.ts";
import { readServeFile, SERVE_FILE } from "../simulations/experiments/serve-file.ts";

/** A coordinator as its address names it. */
export interface JoinTarget {
  /** http or https, nothing after the port. */
  readonly origin: URL;
  /** What devices sign that they dialled: name and port, the port also where it is the scheme's own. */
  readonly audience: string;
  /** The address's `#token`. */
  readonly token?: string;
}

/** @throws {MurmurError} usage; the message never repeats the token. */
export function parseTarget(address: string): JoinTarget {
  const [shown] = address.split("#", 1);
  const hint = "Write it as `murmur serve` printed it, such as http://127.0.0.1:8080.";
  let url: URL;
  try {
    url = new URL(address);
  } catch (cause) {
    throw new MurmurError("usage", `"${shown}" is not an address.`, { hint, cause });
  }
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    throw new MurmurError("usage", `An address begins with http:// or https://, unlike "${shown}".`, { hint });
  }
  if (url.pathname !== "/" || url.search !== "" || url.username !== "" || url.password !== "") {
    throw new MurmurError("usage", "The address has more than a name, a port and a token.", { hint });
  }
  const port = url.port === "" ? (url.protocol === "https:" ? "443" : "80") : url.port;
  const token = url.hash.slice(1);
  return { origin: new URL(url.origin), audience: `${url.hostname}:${port}`, ...(token === "" ? {} : { token }) };
}

export interface FoundToken {
  readonly token: string;
  /** Where it was, for a person. */
  readonly from: string;
}

export interface TokenSources {
  readonly target: JoinTarget;
  /** `--token` */
  readonly flag: string | undefined;
  /** `MURMUR_JOIN_TOKEN` */
  readonly environment: string | undefined;
  /** The folder that holds the runs of this machine. */
  readonly runs: string;
}

/** The join token: what was given, else that of a coordinator that runs on this machine; undefined where there is none. */
export function findJoinToken({ target, flag, environment, runs }: TokenSources): FoundToken | undefined {
  if (flag !== undefined && flag !== "") return { token: flag, from: "--token" };
  if (target.token !== undefined) return { token: target.token, from: "the address" };
  if (environment !== undefined && environment !== "") return { token: environment, from: "MURMUR_JOIN_TOKEN" };
  const local = localCoordinators(runs).find(({ url }) => sameCoordinator(url, target.origin));
  return local === undefined ? undefined : { token: local.joinToken, from: local.file };
}

/** The folder of the run that is served at this address, where that is on this machine and among these runs. */
export function localRunFolder({ origin }: JoinTarget, runs: string): string | undefined {
  return localCoordinators(runs).find(({ url }) => sameCoordinator(url, origin))?.folder;
}

interface LocalCoordinator {
  readonly folder: string;
  readonly file: string;
  readonly url: URL;
  readonly joinToken: string;
  readonly writtenAt: number;
}

/** What the runs' folders tell of coordinators, the latest first. One that cannot be read is not there. */
function localCoordinators(runs: string): LocalCoordinator[] {
  const names = existsSync(runs) ? readdirSync(runs) : [];
  return names
    .flatMap((name) => {
      const served = readServeFile(join(runs, name));
      if (served === undefined || !URL.canParse(served.url)) return [];
      const file = join(runs, name, SERVE_FILE);
      const writtenAt = statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
      return [{ folder: join(runs, name), file, url: new URL(served.url), joinToken: served.joinToken, writtenAt }];
    })
    .sort((a, b) => b.writtenAt - a.writtenAt);
}

/** The same scheme, name and port, where all names of this machine's own loopback are one. */
function sameCoordinator(a: URL, b: URL): boolean {
  const isOwn = ({ hostname }: URL) => isLoopback(withoutBrackets(hostname));
  const sameName = a.hostname === b.hostname || (isOwn(a) && isOwn(b));
  return a.protocol === b.protocol && sameName && a.port === b.port;
}
