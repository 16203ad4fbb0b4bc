import { createHash } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parseRange } from "../../../server/api/byte-ranges.ts";
import { type Coordinator, inject, openCoordinator } from "./coordinator-fixture.ts";

let coordinator: Coordinator;
// In the middle of a larger buffer, as a view is.
const model = new Uint8Array(5000).map((_, i) => i % 251).subarray(1000, 3000);
const hash = createHash("sha256").update(model).digest("hex");
const url = `/v1/models/${hash}`;

beforeEach(() => {
  coordinator = openCoordinator();
  coordinator.models.set(hash, model);
});

afterEach(() => coordinator.close());

const get = (headers: Record<string, string> = {}) => inject(coordinator, "GET", url, { headers });

describe("a model over HTTP", () => {
  it("is served whole, to be kept for good", async () => {
    const response = await get();
    expect(response.statusCode).toBe(200);
    expect(response.rawPayload.equals(model)).toBe(true);
    expect(response.headers).toMatchObject({
      "content-type": "application/octet-stream",
      "content-length": "2000",
      etag: `"${hash}"`,
      "accept-ranges": "bytes",
      "cache-control": "public, max-age=31536000, immutable",
    });
  });

  it("is served in pieces, which together are the model", async () => {
    const pieces: Buffer[] = [];
    for (const range of ["bytes=0-699", "bytes=700-1499", "bytes=1500-"]) {
      const response = await get({ range });
      expect(response.statusCode).toBe(206);
      pieces.push(response.rawPayload);
      expect(response.headers["content-length"]).toBe(String(response.rawPayload.length));
    }
    expect(Buffer.concat(pieces).equals(model)).toBe(true);
    const suffix = await get({ range: "bytes=-300" });
    expect(suffix.headers["content-range"]).toBe("bytes 1700-1999/2000");
    expect(suffix.rawPayload.equals(model.subarray(1700))).toBe(true);
  });

  it("has no range past its end", async () => {
    for (const range of ["bytes=2000-", "bytes=5000-6000", "bytes=-0"]) {
      const response = await get({ range });
      expect(response.statusCode).toBe(416);
      expect(response.headers["content-range"]).toBe("bytes */2000");
      expect(response.json()).toMatchObject({ ok: false, name: "request-invalid" });
    }
  });

  it("is served whole where a range cannot be read, or is of another model", async () => {
    for (const headers of [
      { range: "bytes=5-2" },
      { range: "bytes=0-1,5-6" },
      { range: "lines=1-2" },
      { range: "bytes=0-99", "if-range": '"another"' },
    ]) {
      expect((await get(headers)).statusCode).toBe(200);
    }
    expect((await get({ range: "bytes=0-99", "if-range": `"${hash}"` })).statusCode).toBe(206);
  });

  it("is not sent again to who has it", async () => {
    for (const tag of [`"${hash}"`, `"x", W/"${hash}"`, "*"]) {
      const response = await get({ "if-none-match": tag });
      expect([response.statusCode, response.rawPayload.length]).toEqual([304, 0]);
      expect(response.headers.etag).toBe(`"${hash}"`);
    }
    expect((await get({ "if-none-match": '"x"' })).statusCode).toBe(200);
  });

  it("tells its size to HEAD", async () => {
    const response = await inject(coordinator, "HEAD", url, { headers: { range: "bytes=0-9" } });
    expect([response.statusCode, response.rawPayload.length]).toEqual([200, 0]);
    expect(response.headers).toMatchObject({ "content-length": "2000", etag: `"${hash}"` });
  });

  it("is not there under another hash", async () => {
    expect((await inject(coordinator, "GET", `/v1/models/${"0".repeat(64)}`)).statusCode).toBe(404);
    expect((await inject(coordinator, "GET", `/v1/models/${hash.toUpperCase()}`)).statusCode).toBe(400);
    expect((await inject(coordinator, "GET", "/v1/models/..%2f..%2fetc%2fpasswd")).statusCode).toBe(400);
  });
});

describe("a range", () => {
  it("is within the body, whatever is asked", () => {
    for (let length = 0; length < 5; length++) {
      for (const header of ["bytes=0-", "bytes=0-0", "bytes=1-9", "bytes=-1", "bytes=-9", "bytes=3-3", "bytes=-"]) {
        const range = parseRange(header, length);
        if (typeof range === "string") continue;
        expect(range.first >= 0 && range.first <= range.last && range.last < length).toBe(true);
      }
    }
    expect(parseRange(`bytes=0-${"9".repeat(40)}`, 10)).toBe("whole");
  });
});
