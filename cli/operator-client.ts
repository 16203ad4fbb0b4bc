import { basename, join } from "node:path";
import { z } from "zod";
import { LARGEST_ANSWER, plainText, readAnswer } from "../client/transport/answers.ts";
import { errorText } from "../client/transport/websocket.ts";
import { MurmurError } from "../shared/protocol/errors.ts";
import { isLoopback, withoutBrackets } from "../shared/protocol/hosts.ts";
import type { TimeSources } from "../shared/time/steady-clock.ts";
import { readServeFile, SERVE_FILE, type ServeFile } from "../simulations/experiments/serve-file.ts";
import type { Invocation } from "./invocation.ts";
import { parseTarget } from "./join-target.ts";
import { machineTime } from "./machine-time.ts";
import { findRun, runIds, runsFolder, shownPath } from "./run-folders.ts";
import { toolVersion } from "./version.ts";

const moment = z.iso.datetime();
const id = z.string().regex(/^[0-9a-f]{8}$/);
const scope = z.enum(["enrol", "operate"]);
const newToken = z.object({ id, token: z.string().regex(/^murmur_[eo]_[\w-]+$/), expiresAt: moment });
const tokenView = z.object({
  id,
  scope,
  uses: z.int(),
  usesLeft: z.int(),
  createdAt: moment,
  expiresAt: moment,
  revokedAt: moment.nullable(),
});
const publicKey = z.string().regex(/^[0-9a-f]{64}$/);
const deviceView = z.object({
  publicKey,
  name: z.string().transform(plainText).nullable(),
  token: id,
  enrolledAt: moment,
  revokedAt: moment.nullable(),
});
const devicePage = z.object({ devices: z.array(deviceView), next: z.string().nullable() });

/** @property expires seconds until it expires */
export type TokenTerms = { readonly expires: number } & (
  | { readonly scope: "enrol"; readonly count: number }
  | { readonly scope: "operate" }
);
export type NewToken = z.infer<typeof newToken>;
export type TokenView = z.infer<typeof tokenView>;
export type DeviceView = z.infer<typeof deviceView>;

/** A coordinator that runs, and what shows it that the operator asks. */
export interface OperatorTarget {
  /** http or https, nothing after the port. */
  readonly origin: URL;
  readonly token: string;
  /** Where the token was, for a person. */
  readonly tokenFrom: string;
  /** The run's id, where its folder is on this machine. */
  readonly run?: string;
}

/**
 * What an operator asks of a coordinator. Each call is one request, the devices' one for each page.
 * All throw {@link MurmurError}: what the coordinator names, `coordinator-unreachable` for whatever else goes wrong.
 */
export interface Operator {
  /** Which coordinator, for results. */
  readonly about: { readonly run?: string; readonly url: string };
  createToken(terms: TokenTerms): Promise<NewToken>;
  /** The latest first. */
  tokens(): Promise<TokenView[]>;
  revokeToken(id: string): Promise<void>;
  /** Ascending by public key. */
  devices(): Promise<DeviceView[]>;
  /** @param publicKey 64 lower-case hexadecimal digits */
  revokeDevice(publicKey: string): Promise<{ readonly disconnected: boolean }>;
  stop(now: boolean): Promise<"after-round" | "now">;
}

/** Milliseconds from a request to the end of its answer. */
const DEADLINE = 10_000;
/** Bytes of an answer that is read: a page of devices has a fiftieth of it. */
const LARGEST_RESULT = 16_000_000;

/** The coordinator that a command's `--run` and `--url` name. @throws {MurmurError} as {@link findOperatorTarget} */
export function openOperator(invocation: Invocation, options: Record<string, unknown>): Operator {
  const target = findOperatorTarget(invocation, options);
  const { protocol, hostname, origin } = target.origin;
  if (protocol === "http:" && !isLoopback(withoutBrackets(hostname))) {
    invocation.note(`${origin} is not https: whoever is on the way can read the operator token`);
  }
  return createOperator(target, machineTime);
}

/**
 * With `--url` a coordinator anywhere, its token from `--run`'s folder or MURMUR_OPERATOR_TOKEN; else the coordinator of
 * `--run`; else the only one that serves a run of the runs' folder.
 * @throws {MurmurError} `usage`, `run-not-found`, `not-serving`, `operator-only` when there is no token
 */
export function findOperatorTarget(
  invocation: Pick<Invocation, "edge" | "flags">,
  options: Record<string, unknown>,
): OperatorTarget {
  const url = options.url === undefined ? undefined : parseTarget(String(options.url));
  if (url?.token !== undefined) {
    throw new MurmurError("usage", "--url takes an address without a #token: others see a command line.", {
      hint: "Give the address alone, and the operator token in MURMUR_OPERATOR_TOKEN.",
    });
  }
  if (options.run !== undefined || url === undefined) {
    const folder = options.run === undefined ? onlyServed(invocation) : findRun(invocation, String(options.run));
    const serving = requireServing(folder);
    const tokenFrom = shownPath(invocation.edge.cwd, join(folder, SERVE_FILE));
    const origin = url?.origin ?? parseTarget(serving.url).origin;
    return { origin, token: serving.operatorToken, tokenFrom, run: basename(folder) };
  }
  return { origin: url.origin, token: environmentToken(invocation), tokenFrom: "MURMUR_OPERATOR_TOKEN" };
}

function environmentToken({ edge }: Pick<Invocation, "edge">): string {
  const token = (edge.env.MURMUR_OPERATOR_TOKEN ?? "").trim();
  const hint =
    "Set MURMUR_OPERATOR_TOKEN to the operatorToken of serve.json, or to one of `murmur token create --scope operate`.";
  if (token === "")
    throw new MurmurError("operator-only", "--url wants an operator token, and there is none.", { hint });
  // A header that cannot be sent would be repeated in fetch's own error.
  if (!/^[\x21-\x7e]+$/.test(token)) {
    throw new MurmurError("operator-only", "What MURMUR_OPERATOR_TOKEN holds is not a token.", { hint });
  }
  return token;
}

/** The folder of the only run here that is being served. */
function onlyServed(invocation: Pick<Invocation, "edge" | "flags">): string {
  const runs = runsFolder(invocation);
  const served = runIds(runs).flatMap((run) => {
    const serving = readServeFile(join(runs, run));
    return serving !== undefined && isAlive(serving.pid) ? [{ run, url: serving.url }] : [];
  });
  if (served.length === 1) return join(runs, served[0].run);
  if (served.length === 0) {
    throw new MurmurError("not-serving", `No run in ${shownPath(invocation.edge.cwd, runs)} is being served.`);
  }
  const list = served.map(({ run, url }) => `${run} (${url})`).join(", ");
  throw new MurmurError("usage", `Several runs are being served: ${list}.`, { hint: "Say which with --run." });
}

function requireServing(folder: string): ServeFile {
  const serving = readServeFile(folder);
  if (serving !== undefined && isAlive(serving.pid)) return serving;
  const run = basename(folder);
  const message =
    serving === undefined
      ? `Run ${run} is not being served.`
      : `The coordinator of run ${run} is gone: there is no process ${serving.pid}.`;
  throw new MurmurError("not-serving", message, {
    hint: `\`murmur serve --resume ${run}\` goes on with a run that was stopped.`,
  });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // There, and another user's.
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

export function createOperator(target: OperatorTarget, { after }: Pick<TimeSources, "after">): Operator {
  const { origin, run } = target;

  async function ask<T>(
    method: "GET" | "POST" | "DELETE",
    path: string,
    schema: z.ZodType<T>,
    { body, missing }: { readonly body?: object; readonly missing?: string } = {},
  ): Promise<T> {
    const given = new AbortController();
    const cancel = after(DEADLINE, () => given.abort());
    try {
      const response = await fetch(new URL(path, origin), {
        method,
        headers: {
          authorization: `Bearer ${target.token}`,
          "user-agent": `murmur/${toolVersion()} node/${process.versions.node}`,
          ...(body === undefined ? {} : { "content-type": "application/json" }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        // The token is for this address and no other.
        redirect: "error",
        signal: given.signal,
      });
      const text = await textOf(response, response.ok ? LARGEST_RESULT : LARGEST_ANSWER);
      if (!response.ok) throw refusal(target, response.status, text, missing);
      const result = parsed(schema, text);
      if (result === undefined) throw foreign(origin, response.status);
      return result;
    } catch (error) {
      if (error instanceof MurmurError) throw error;
      throw unreachable(origin, error, given.signal.aborted);
    } finally {
      cancel();
    }
  }

  return {
    about: { ...(run === undefined ? {} : { run }), url: origin.origin },
    createToken: (terms) => ask("POST", "/v1/tokens", newToken, { body: terms }),
    async tokens() {
      const { tokens } = await ask("GET", "/v1/tokens", z.object({ tokens: z.array(tokenView) }));
      return tokens.sort((a, b) => (a.createdAt < b.createdAt ? 1 : a.createdAt > b.createdAt ? -1 : 0));
    },
    async revokeToken(token) {
      await ask("DELETE", `/v1/tokens/${token}`, z.object({ id }), { missing: "`murmur token list` shows them." });
    },
    async devices() {
      const all: DeviceView[] = [];
      for (let after = ""; ; ) {
        const { devices, next } = await ask("GET", `/v1/devices?after=${encodeURIComponent(after)}`, devicePage);
        all.push(...devices);
        if (next === null) return all;
        // Pages that lead back would never end.
        if (next <= after) throw foreign(origin, 200);
        after = next;
      }
    },
    revokeDevice: (key) =>
      ask("DELETE", `/v1/devices/${key}`, z.object({ disconnected: z.boolean() }), {
        missing: "`murmur device list` shows them.",
      }),
    async stop(now) {
      const answer = z.object({ stopping: z.enum(["after-round", "now"]) });
      return (await ask("POST", "/v1/stop", answer, { body: { now } })).stopping;
    },
  };
}

async function textOf(response: Response, most: number): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const piece of response.body ?? []) {
    text += decoder.decode(piece, { stream: true });
    if (text.length > most) throw new Error("the answer is longer than any of a coordinator");
  }
  return text;
}

function parsed<T>(schema: z.ZodType<T>, text: string): T | undefined {
  try {
    return schema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

/** The error that an answer names. @param missing what to do about a thing that is not there */
function refusal(target: OperatorTarget, status: number, body: string, missing: string | undefined): MurmurError {
  // Read as a refusal whatever the status: nobody waits behind a command to try again.
  const { error } = readAnswer({ status: 400, retryAfter: undefined, body });
  if (error?.name === "operator-only") {
    return new MurmurError("operator-only", `The coordinator does not know the token in ${target.tokenFrom}.`, {
      hint: "It may have expired or been revoked. A coordinator has a new one in serve.json after a restart.",
    });
  }
  if (error?.name === "no-such-thing" && missing !== undefined) {
    return new MurmurError("no-such-thing", error.message, { hint: missing });
  }
  // What an answer without a name is read as.
  if (error === undefined || error.name === "device-refused") return foreign(target.origin, status);
  return error;
}

/** What came is no answer of a coordinator. */
function foreign({ origin }: URL, status: number): MurmurError {
  return new MurmurError(
    "coordinator-unreachable",
    `What answers at ${origin}, with HTTP status ${status}, is not a coordinator of this version.`,
  );
}

function unreachable({ origin }: URL, error: unknown, late: boolean): MurmurError {
  const cause = error instanceof Error ? (error.cause ?? error) : error;
  const code = String((cause as { code?: unknown } | null)?.code ?? "");
  if (late) {
    return new MurmurError("coordinator-unreachable", `${origin} did not answer within ${DEADLINE / 1000} seconds.`);
  }
  if (code === "ECONNREFUSED") {
    return new MurmurError("coordinator-unreachable", `Nothing listens at ${origin}.`, { cause });
  }
  const what = plainText(errorText(error));
  if (/CERT|LEAF_SIGNATURE/.test(code)) {
    return new MurmurError("coordinator-unreachable", `The certificate of ${origin} is not accepted: ${what}.`, {
      hint: "Name its issuer's certificate in NODE_EXTRA_CA_CERTS, and with --url an address that it is for.",
      cause,
    });
  }
  return new MurmurError("coordinator-unreachable", `${origin} cannot be asked: ${what}.`, { cause });
}
