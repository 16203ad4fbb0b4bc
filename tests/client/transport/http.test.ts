import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { describe, expect, it } from "vitest";
import { downloadModel, enrolDevices } from "../../../client/transport/http.ts";
import { shareDownloads } from "../../../client/transport/shared-downloads.ts";
import { UnavailableError } from "../../../client/transport/unavailable.ts";
import { equalBytes, fromHex, toHex } from "../../../shared/crypto/bytes.ts";
import { cryptoProvider } from "../../../shared/crypto/node-provider.ts";
import { enrolMessage } from "../../../shared/protocol/connection-messages.ts";
import { seededRandom } from "../../../shared/random/seeded-random.ts";
import { fakeServer, transportOptions } from "./fake-server.ts";

const random = seededRandom(1, "model");
const MODEL = Uint8Array.from({ length: 300_000 }, () => random.below(256));
const HASH = cryptoProvider.sha256(MODEL);

/** Downloads {@link MODEL} from a server that answers as it is told, and what it was asked for. */
async function download(answer: (request: IncomingMessage, response: ServerResponse, nth: number) => void) {
  const ranges: (string | undefined)[] = [];
  const { origin } = await fakeServer({
    http(request, response) {
      expect(request.url).toBe(`/v1/models/${toHex(HASH)}`);
      expect(request.headers["accept-encoding"]).toBe("identity");
      ranges.push(request.headers.range);
      answer(request, response, ranges.length);
    },
  });
  const model = downloadModel(transportOptions(origin), HASH, MODEL.length);
  return { model: await model.catch((error: unknown) => error), ranges };
}

/** Answers a range as RFC 9110 says. */
function serve(request: IncomingMessage, response: ServerResponse, until = MODEL.length): void {
  const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
  if (start > 0) expect(request.headers["if-range"]).toBe(`"${toHex(HASH)}"`);
  response.writeHead(start > 0 ? 206 : 200, {
    "content-length": MODEL.length - start,
    ...(start > 0 ? { "content-range": `bytes ${start}-${MODEL.length - 1}/${MODEL.length}` } : {}),
  });
  if (until === MODEL.length) response.end(MODEL.subarray(start));
  else response.write(MODEL.subarray(start, until), () => response.destroy());
}

describe("a model's download", () => {
  it("takes what is there", async () => {
    const { model, ranges } = await download((request, response) => serve(request, response));
    expect(model instanceof Uint8Array && equalBytes(model, MODEL)).toBe(true);
    expect(ranges).toEqual([undefined]);
  });

  it("goes on where it broke off, as often as each attempt brings something", async () => {
    const { model, ranges } = await download((request, response, nth) =>
      serve(request, response, nth < 6 ? nth * 50_000 : MODEL.length),
    );
    expect(model instanceof Uint8Array && equalBytes(model, MODEL)).toBe(true);
    expect(ranges).toEqual([undefined, ...[1, 2, 3, 4, 5].map((nth) => `bytes=${nth * 50_000}-`)]);
  });

  it("begins again where ranges are not served", async () => {
    const { model } = await download((request, response, nth) => {
      delete request.headers.range;
      serve(request, response, nth === 1 ? 1000 : MODEL.length);
    });
    expect(model instanceof Uint8Array && equalBytes(model, MODEL)).toBe(true);
  });

  it("is given up after four attempts that brought nothing", async () => {
    const { model, ranges } = await download((_request, response) => void response.destroy());
    expect(model).toBeInstanceOf(UnavailableError);
    expect(ranges).toHaveLength(4);
  }, 20_000);

  it.each<[string, (response: ServerResponse) => void]>([
    [
      "longer than it was agreed, and says so",
      (response) => response.writeHead(200, { "content-length": 1e9 }).write("x"),
    ],
    ["longer than it was agreed, without saying so", (response) => void response.end(Buffer.alloc(MODEL.length + 1))],
    ["shorter", (response) => response.writeHead(200, { "content-length": 5 }).end("short")],
    ["another", (response) => void response.end(Buffer.alloc(MODEL.length))],
    [
      "another part",
      (response) =>
        response.writeHead(206, { "content-range": `bytes 5-${MODEL.length - 1}/${MODEL.length}` }).end(MODEL),
    ],
    ["overloaded", (response) => response.writeHead(503, { "retry-after": "2" }).end()],
  ])("is refused when it is %s", async (_, answer) => {
    const { model, ranges } = await download((_request, response) => answer(response));
    expect(model).toBeInstanceOf(UnavailableError);
    expect(ranges).toHaveLength(1);
  });

  it("tells what the coordinator says of it", async () => {
    const { model } = await download((_request, response) =>
      response.writeHead(404).end(JSON.stringify({ ok: false, name: "no-such-thing", message: "No such model." })),
    );
    expect(model).toMatchObject({ name: "no-such-thing", message: "No such model." });
  });

  it("is one for all devices of a process, until another model is asked for or it failed", async () => {
    const asked: string[] = [];
    const fetchModel = shareDownloads(async (hash, bytes) => {
      asked.push(toHex(hash));
      if (hash[0] === 9) throw new Error("no");
      return new Uint8Array(bytes);
    });
    const [a, b] = await Promise.all([fetchModel(Uint8Array.of(1), 4), fetchModel(Uint8Array.of(1), 4)]);
    expect(a).toBe(b);
    await fetchModel(Uint8Array.of(2), 4);
    await fetchModel(Uint8Array.of(1), 4);
    for (let time = 0; time < 2; time++) await expect(fetchModel(Uint8Array.of(9), 4)).rejects.toThrow();
    expect(asked).toEqual(["01", "02", "01", "09", "09"]);
  });
});

describe("enrolment", () => {
  const audience = "127.0.0.1:80";
  const identities = (count: number) =>
    Array.from({ length: count }, () => {
      const key = cryptoProvider.generateEd25519();
      return { publicKey: key.publicKey, sign: (message: Uint8Array) => key.sign(message) };
    });

  async function enrolAt(http: RequestListener, count = 2): Promise<unknown> {
    const { origin } = await fakeServer({ http });
    return enrolDevices(transportOptions(origin), audience, "secret-token", identities(count)).catch(
      (error: unknown) => error,
    );
  }

  it("proves each key, to this coordinator and with this token, a thousand at a time", async () => {
    const sizes: number[] = [];
    const outcome = await enrolAt((request, response) => {
      let text = "";
      request.on("data", (piece) => {
        text += piece;
      });
      request.on("end", () => {
        const body = JSON.parse(text) as { token: string; audience: string; devices: Record<string, string>[] };
        sizes.push(body.devices.length);
        expect(body).toMatchObject({ token: "secret-token", audience });
        for (const { publicKey, signature } of body.devices.slice(0, 3)) {
          const idPk = fromHex(publicKey);
          const message = enrolMessage(cryptoProvider, "secret-token", { audience, idPk });
          expect(cryptoProvider.verifyEd25519(idPk, message, fromHex(signature))).toBe(true);
        }
        response.writeHead(201).end("{}");
      });
    }, 1001);
    expect(outcome).toBeUndefined();
    expect(sizes).toEqual([1000, 1]);
  });

  it.each(["token-invalid", "token-expired", "token-used-up", "device-revoked"])("tells of %s", async (name) => {
    const outcome = await enrolAt((_request, response) =>
      response.writeHead(403).end(JSON.stringify({ ok: false, name, message: "So it is." })),
    );
    expect(outcome).toMatchObject({ name, message: "So it is." });
    expect(JSON.stringify(outcome)).not.toContain("secret-token");
  });

  it("may be tried again when the coordinator is busy, or not there", async () => {
    const busy = await enrolAt((_request, response) => response.writeHead(429, { "retry-after": "2" }).end());
    expect(busy).toBeInstanceOf(UnavailableError);
    expect(busy).toMatchObject({ retryAfter: 2000 });
    const gone = await enrolAt((_request, response) => void response.destroy());
    expect(gone).toBeInstanceOf(UnavailableError);
  });

  it("does not follow a redirection with its token", async () => {
    const outcome = await enrolAt((_request, response) => response.writeHead(307, { location: "/elsewhere" }).end());
    expect(outcome).toBeInstanceOf(UnavailableError);
  });
});
