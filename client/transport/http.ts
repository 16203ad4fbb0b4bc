import { equalBytes, toHex } from "../../shared/crypto/bytes.ts";
import type { CryptoProvider } from "../../shared/crypto/provider.ts";
import { enrolMessage, MOST_ENROLLED_AT_ONCE } from "../../shared/protocol/connection-messages.ts";
import { encodeCertificate } from "../../shared/secagg/certificates.ts";
import type { Clock } from "../../shared/time/clock.ts";
import type { DeviceIdentity } from "../secagg/session.ts";
import { LARGEST_ANSWER, readAnswer } from "./answers.ts";
import { UnavailableError } from "./unavailable.ts";
import { errorText } from "./websocket.ts";

export interface HttpOptions {
  /** The coordinator's origin, http or https. */
  readonly origin: URL;
  readonly software: string;
  readonly clock: Clock;
  readonly provider: Pick<CryptoProvider, "sha256">;
}

/** Milliseconds without a byte, after which a request is given up. */
const STALL_TIMEOUT = 15_000;
/** Devices in one request. */
/** Attempts in a row that bring not a byte more of a model. */
const FRUITLESS_ATTEMPTS = 4;
const FIRST_PAUSE = 250;

/**
 * Enrols devices with a join token: of each request all, or none. Whoever is enrolled already stays so.
 * @throws {MurmurError} what the coordinator says of the token or the devices
 * @throws {UnavailableError}
 */
export async function enrolDevices(
  options: HttpOptions,
  audience: string,
  token: string,
  identities: readonly DeviceIdentity[],
): Promise<void> {
  for (let start = 0; start < identities.length; start += MOST_ENROLLED_AT_ONCE) {
    const devices = identities.slice(start, start + MOST_ENROLLED_AT_ONCE).map((identity) => ({
      publicKey: toHex(identity.publicKey),
      ...(identity.certificate === undefined ? {} : { certificate: toHex(encodeCertificate(identity.certificate)) }),
      signature: toHex(identity.sign(enrolMessage(options.provider, token, { audience, idPk: identity.publicKey }))),
    }));
    const init = {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ token, audience, devices }),
    };
    await withAnswer(options, "/v1/enrol", init, async (response) => {
      if (!response.ok) throw await unwelcome(response);
      await response.body?.cancel();
    });
  }
}

/**
 * The model with this hash. A download that breaks off goes on where it stopped, for as long as each attempt brings
 * something; never more than `bytes` are kept.
 * @param hash 32 bytes
 * @throws {MurmurError} what the coordinator says of it
 * @throws {UnavailableError} when it cannot be had, or is not what it should be
 */
export async function downloadModel(options: HttpOptions, hash: Uint8Array, bytes: number): Promise<Uint8Array> {
  const model = new Uint8Array(bytes);
  const name = toHex(hash);
  let received = 0;
  let fruitless = 0;
  while (received < bytes) {
    const before = received;
    try {
      received = await downloadRest(options, name, model, received);
    } catch (error) {
      if (!(error instanceof BrokenOff)) throw error;
      received = error.received;
      if (received > before) fruitless = 0;
      else if (++fruitless === FRUITLESS_ATTEMPTS)
        throw new UnavailableError({ detail: error.message }, { cause: error });
      const pause = FIRST_PAUSE * 2 ** fruitless;
      await new Promise<void>((resolve) => void options.clock.after(pause, resolve));
    }
  }
  if (!equalBytes(options.provider.sha256(model), hash)) {
    throw new UnavailableError({ detail: "the model that came does not have the hash that was asked for" });
  }
  return model;
}

/** A download that stopped before its end: so many bytes are good. */
class BrokenOff extends Error {
  override readonly name = "BrokenOff";
  readonly received: number;

  constructor(received: number, cause: unknown) {
    super(errorText(cause), { cause });
    this.received = received;
  }
}

/** One request for what is missing. @returns how much is there afterwards: all of it. */
async function downloadRest(options: HttpOptions, hash: string, model: Uint8Array, received: number): Promise<number> {
  // Compressed, neither length nor range would be the model's; of a range, fetch says so itself.
  const headers =
    received === 0 ? { "accept-encoding": "identity" } : { range: `bytes=${received}-`, "if-range": `"${hash}"` };
  let at = received;
  try {
    await withAnswer(options, `/v1/models/${hash}`, { headers }, async (response, alive) => {
      if (response.status !== 200 && response.status !== 206) throw await unwelcome(response);
      // An answer without the range that was asked for begins at the beginning.
      at = response.status === 206 ? received : 0;
      requirePart(response, at, model.length);
      for await (const piece of response.body ?? []) {
        alive();
        if (at + piece.length > model.length) throw tooLong(model.length);
        model.set(piece, at);
        at += piece.length;
      }
      if (at < model.length) throw new BrokenOff(at, new Error(`the model broke off after ${at} bytes`));
    });
  } catch (error) {
    if (error instanceof UnavailableError && error.retryAfter === undefined && error.cause !== undefined) {
      throw new BrokenOff(at, error.cause);
    }
    throw error;
  }
  return at;
}

/** Holds an answer's headers against what was asked for. @throws {UnavailableError} */
function requirePart({ status, headers }: Response, start: number, total: number): void {
  const length = headers.get("content-length");
  if (length !== null && Number(length) !== total - start) {
    throw Number(length) > total - start
      ? tooLong(total)
      : new UnavailableError({ detail: `the model has ${length} bytes, and ${total - start} were to come` });
  }
  const range = headers.get("content-range");
  if (status === 206 && range !== `bytes ${start}-${total - 1}/${total}`) {
    throw new UnavailableError({ detail: "another part of the model came than was asked for" });
  }
}

function tooLong(total: number): UnavailableError {
  return new UnavailableError({ detail: `the model is longer than the ${total} bytes that were agreed` });
}

/**
 * Sends one request and hands its answer to `read`. Both are given up when nothing moves: `read` calls `alive` for each
 * piece.
 * @throws {UnavailableError} with the cause, when the connection fails; what `read` throws of its own.
 */
async function withAnswer(
  { origin, software, clock }: HttpOptions,
  path: string,
  init: RequestInit & { readonly headers: Readonly<Record<string, string>> },
  read: (response: Response, alive: () => void) => Promise<void>,
): Promise<void> {
  const stalled = new AbortController();
  const give = () => clock.after(STALL_TIMEOUT, () => stalled.abort(new Error("nothing came for too long")));
  let cancel = give();
  try {
    const response = await fetch(new URL(path, origin), {
      ...init,
      headers: { ...init.headers, "user-agent": software },
      redirect: "error",
      signal: stalled.signal,
    });
    await read(response, () => {
      cancel();
      cancel = give();
    });
  } catch (error) {
    // fetch reports whatever fails on the way as a TypeError, and an abort with its reason.
    if (error instanceof TypeError || error === stalled.signal.reason) {
      throw new UnavailableError({ detail: errorText(error) }, { cause: error });
    }
    throw error;
  } finally {
    cancel();
    // Whatever was not read of the answer is not waited for.
    stalled.abort(new Error("done"));
  }
}

/** @returns the error that an answer stands for. */
async function unwelcome(response: Response): Promise<Error> {
  let body = "";
  const decoder = new TextDecoder();
  for await (const piece of response.body ?? []) {
    body += decoder.decode(piece, { stream: true });
    if (body.length > LARGEST_ANSWER) break;
  }
  const end = readAnswer({
    status: response.status,
    retryAfter: response.headers.get("retry-after") ?? undefined,
    body,
  });
  return end.error ?? new UnavailableError(end);
}
