import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { cryptoProvider } from "#crypto-provider";
import type { Registry } from "../../../server/enrolment/registry.ts";
import { toHex } from "../../../shared/crypto/bytes.ts";
import type { Ed25519Key } from "../../../shared/crypto/provider.ts";
import {
  AUDIENCE,
  certificateOf,
  type Enrolment,
  nameOf,
  newKeys,
  openEnrolment,
  requestOf,
  START,
} from "./enrolment-fixtures.ts";

const HOUR = 3_600_000;
let fixture: Enrolment;
let registry: Registry;

beforeEach(() => {
  fixture = openEnrolment();
  registry = fixture.registry;
});

afterEach(() => fixture.close());

function tokenFor(count: number, expiresAt = START + HOUR): string {
  return registry.createToken({ scope: "enrol", count, expiresAt }).token;
}

function enrol(token: string, keys: readonly Ed25519Key[], target = registry) {
  return target.enrol({ token, audience: AUDIENCE, devices: keys.map((key) => requestOf(key, token)) });
}

describe("enrolling devices", () => {
  it("lets a device in by its key, and remembers it and its name after a restart", async () => {
    const [key, stranger] = newKeys(2);
    expect(registry.admit(key.publicKey)).toBe("not-enrolled");
    expect(await enrol(tokenFor(1), [key])).toEqual({ enrolled: 1, already: 0 });
    expect(registry.admit(key.publicKey)).toBe("ok");
    registry.remember(key.publicKey, "d-0007");
    const again = fixture.reopened();
    expect(again.admit(key.publicKey)).toBe("ok");
    expect(again.lastName(key.publicKey)).toBe("d-0007");
    expect(again.admit(stranger.publicKey)).toBe("not-enrolled");
    expect(again.enrolled()).toBe(1);
  });

  it("takes a use of the token for each new device, and none for one that is there", async () => {
    const token = tokenFor(3);
    const keys = newKeys(4);
    await enrol(token, keys.slice(0, 2));
    expect(await enrol(token, keys.slice(0, 3))).toEqual({ enrolled: 1, already: 2 });
    expect(registry.tokens()).toMatchObject([{ uses: 3, usesLeft: 0 }]);
    expect(await nameOf(() => enrol(token, keys))).toBe("token-used-up");
    // Also after a restart, and those who are there may ask again.
    const again = fixture.reopened();
    expect(await nameOf(() => enrol(token, keys, again))).toBe("token-used-up");
    expect(await enrol(token, keys.slice(0, 3), again)).toEqual({ enrolled: 0, already: 3 });
  });

  it("enrols all or none: one bad signature, one device too many, one device twice", async () => {
    const token = tokenFor(2);
    const keys = newKeys(3);
    const forged = { ...requestOf(keys[0], token), idPk: keys[1].publicKey };
    const devices = [requestOf(keys[2], token), forged];
    expect(await nameOf(() => registry.enrol({ token, audience: AUDIENCE, devices }))).toBe("request-invalid");
    expect(await nameOf(() => enrol(token, keys))).toBe("token-used-up");
    expect(await nameOf(() => enrol(token, [keys[0], keys[0]]))).toBe("request-invalid");
    expect(registry.enrolled()).toBe(0);
    expect(registry.tokens()[0].usesLeft).toBe(2);
  });

  it("gives the last use of a token to one of two requests that come together", async () => {
    const token = tokenFor(40);
    const results = await Promise.allSettled([enrol(token, newKeys(40)), enrol(token, newKeys(40))]);
    expect(results.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    expect(registry.enrolled()).toBe(40);
  });

  it("refuses a request that was signed for another audience or with another token", async () => {
    const token = tokenFor(5);
    const [key] = newKeys(1);
    const elsewhere = requestOf(key, token, { audience: "coordinator.example:443" });
    const other = requestOf(key, tokenFor(5));
    for (const device of [elsewhere, other]) {
      expect(await nameOf(() => registry.enrol({ token, audience: AUDIENCE, devices: [device] }))).toBe(
        "request-invalid",
      );
    }
  });

  it("refuses tokens that are missing, wrong, for something else, revoked or expired", async () => {
    const [key] = newKeys(1);
    const token = tokenFor(5);
    const operate = registry.createToken({ scope: "operate", count: 1, expiresAt: START + HOUR }).token;
    expect(await nameOf(() => enrol("", [key]))).toBe("token-missing");
    for (const wrong of ["x", `${token.slice(0, -1)}_`, operate, token.replace("_e_", "_o_"), `${token}x`]) {
      expect(await nameOf(() => enrol(wrong, [key]))).toBe("token-invalid");
    }
    const { id, token: revoked } = registry.createToken({ scope: "enrol", count: 5, expiresAt: START + HOUR });
    expect([registry.revokeToken(id), registry.revokeToken("00000000")]).toEqual([true, false]);
    expect(await nameOf(() => enrol(revoked, [key]))).toBe("token-invalid");
    fixture.clock.time += HOUR;
    expect(await nameOf(() => enrol(token, [key]))).toBe("token-expired");
    expect(registry.enrolled()).toBe(0);
  });

  it("does not check a signature for who has no token", async () => {
    const [key] = newKeys(1);
    const device = { ...requestOf(key, "x"), signature: new Uint8Array(64) };
    expect(await nameOf(() => registry.enrol({ token: "x", audience: AUDIENCE, devices: [device] }))).toBe(
      "token-invalid",
    );
  });

  it("never takes a revoked key again, and stops nobody else", async () => {
    const token = tokenFor(5);
    const [key, other] = newKeys(2);
    await enrol(token, [key]);
    expect([registry.revoke(toHex(key.publicKey)), registry.revoke(toHex(other.publicKey))]).toEqual([true, false]);
    expect(registry.admit(key.publicKey)).toBe("revoked");
    expect(await nameOf(() => enrol(token, [other, key]))).toBe("device-revoked");
    const again = fixture.reopened();
    expect(again.admit(key.publicKey)).toBe("revoked");
    expect(again.enrolled()).toBe(0);
    expect(await enrol(token, [other], again)).toEqual({ enrolled: 1, already: 0 });
  });
});

describe("a population with an authority", () => {
  it("enrols only who has a certificate that holds, and takes a newer one", async () => {
    const authority = cryptoProvider.generateEd25519();
    const certified = openEnrolment({ authority: authority.publicKey });
    try {
      const { token } = certified.registry.createToken({ scope: "enrol", count: 9, expiresAt: START + 3 * HOUR });
      const [key, other] = newKeys(2);
      const enrolWith = (certificate: Uint8Array) =>
        certified.registry.enrol({ token, audience: AUDIENCE, devices: [requestOf(key, token, { certificate })] });
      for (const bad of [
        new Uint8Array(0),
        new Uint8Array(72),
        certificateOf(other, key),
        certificateOf(authority, other),
        certificateOf(authority, key, { population: "tablets" }),
        certificateOf(authority, key, { hours: 0 }),
      ]) {
        expect(await nameOf(() => enrolWith(bad))).toBe("device-uncertified");
      }
      expect(await enrolWith(certificateOf(authority, key))).toEqual({ enrolled: 1, already: 0 });
      certified.clock.time += 2 * HOUR;
      expect(await nameOf(() => enrolWith(certificateOf(authority, key)))).toBe("device-uncertified");
      const newer = certificateOf(authority, key, { hours: 4 });
      expect(await enrolWith(newer)).toEqual({ enrolled: 0, already: 1 });
      expect(certified.reopened().device(key.publicKey)?.certificate).toEqual(newer);
    } finally {
      certified.close();
    }
  });
});

describe("tokens", () => {
  it("keeps nothing from which a token can be told", () => {
    const token = tokenFor(1);
    const secret = token.split("_").slice(3).join("_");
    const kept = JSON.stringify([registry.tokens(), fixture.store.enrolment.tokens()]);
    expect(kept).not.toContain(secret);
    expect(token).toMatch(/^murmur_e_[0-9a-f]{8}_[\w-]{43}$/);
  });

  it("takes a text that the operator chose, again after each restart, with the uses that it has had", async () => {
    const text = "correct horse battery staple";
    const terms = { scope: "enrol", count: 2, expiresAt: START + HOUR } as const;
    const id = registry.adoptToken(text, terms);
    await enrol(text, newKeys(2));
    const again = fixture.reopened();
    expect(again.adoptToken(text, { ...terms, count: 3, expiresAt: START + 2 * HOUR })).toBe(id);
    expect(again.tokens()).toMatchObject([{ uses: 3, usesLeft: 1, expiresAt: START + 2 * HOUR }]);
    again.revokeToken(id);
    expect(await nameOf(() => again.adoptToken(text, terms))).toBe("token-invalid");
    expect(await nameOf(() => again.adoptToken("short", terms))).toBe("token-invalid");
    expect(await nameOf(() => again.adoptToken("another one, long enough", { ...terms, scope: "operate" }))).toBe(
      "no error",
    );
  });

  it("authorises the operator's, and nothing else", () => {
    const { id, token } = registry.createToken({ scope: "operate", count: 1, expiresAt: START + HOUR });
    expect(registry.authorises(token, "operate")).toBe(true);
    expect(registry.authorises(token, "enrol")).toBe(false);
    expect(registry.authorises(tokenFor(1), "operate")).toBe(false);
    expect(registry.authorises("", "operate")).toBe(false);
    registry.revokeToken(id);
    expect(registry.authorises(token, "operate")).toBe(false);
  });
});

describe("ten thousand devices", () => {
  it("are admitted and remembered at no cost that counts", { timeout: 20_000 }, () => {
    const keys = Array.from({ length: 10_000 }, () => cryptoProvider.random.bytes(32));
    fixture.store.enrolment.putToken({
      id: "00000001",
      scope: "enrol",
      secretSha256: new Uint8Array(32),
      usesLeft: 10_000,
      uses: 10_000,
      expiresAt: START,
      createdAt: START,
    });
    const added = keys.map((key) => ({ publicKey: toHex(key), tokenId: "00000001", enrolledAt: START }));
    fixture.store.enrolment.enrol({ tokenId: "00000001", added, recertified: [] });
    const full = fixture.reopened();
    const began = performance.now();
    for (const key of keys) expect(full.admit(key)).toBe("ok");
    expect(performance.now() - began).toBeLessThan(2000);
    const named = performance.now();
    for (const [index, key] of keys.slice(0, 1000).entries()) full.remember(key, `d-${index}`);
    expect(performance.now() - named).toBeLessThan(5000);
    expect(full.lastName(keys[999])).toBe("d-999");
  });
});
