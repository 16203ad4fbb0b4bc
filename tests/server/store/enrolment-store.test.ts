import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openDatabase } from "../../../server/store/database.ts";
import type { TokenRecord } from "../../../server/store/enrolment-store.ts";
import { openRunStore, type RunStore } from "../../../server/store/run-store.ts";
import { MIGRATIONS, migrate } from "../../../server/store/schema.ts";
import { logEvent } from "./run-fixtures.ts";

let folder: string;
let store: RunStore;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "murmur-store-"));
  store = openRunStore(folder, { mode: "create" });
});

afterEach(() => {
  store.close();
  rmSync(folder, { recursive: true });
});

function reopen(): void {
  store.close();
  store = openRunStore(folder, { mode: "resume" });
}

const token: TokenRecord = {
  id: "0a0b0c0d",
  scope: "enrol",
  secretSha256: new Uint8Array(32).fill(7),
  usesLeft: 3,
  uses: 3,
  expiresAt: 1_764_000_000_000,
  createdAt: 1_763_000_000_000,
};

function device(digit: string, certificate?: Uint8Array) {
  const known = certificate === undefined ? {} : { certificate };
  return { publicKey: digit.repeat(64), ...known, tokenId: token.id, enrolledAt: 5 };
}

describe("the store of enrolled devices", () => {
  it("keeps tokens and devices to the bit", () => {
    store.enrolment.putToken(token);
    const certificate = new Uint8Array(72).fill(9);
    store.enrolment.enrol({ tokenId: token.id, added: [device("a"), device("b", certificate)], recertified: [] });
    store.enrolment.setLastName("a".repeat(64), "d-0001");
    store.enrolment.revokeDevice("b".repeat(64), 6);
    store.enrolment.revokeToken(token.id, 7);
    reopen();
    expect(store.enrolment.tokens()).toEqual([{ ...token, usesLeft: 1, revokedAt: 7 }]);
    expect(store.enrolment.devices()).toEqual([
      { ...device("a"), lastName: "d-0001" },
      { ...device("b", certificate), revokedAt: 6 },
    ]);
  });

  it("enrols all or none", () => {
    store.enrolment.putToken(token);
    const enrol = (digits: string) =>
      store.enrolment.enrol({ tokenId: token.id, added: [...digits].map((digit) => device(digit)), recertified: [] });
    expect(() => enrol("abcd")).toThrow(/uses left/);
    expect(() => enrol("aa")).toThrow(/UNIQUE|constraint/);
    expect(() => store.enrolment.enrol({ tokenId: "ffffffff", added: [], recertified: [] })).toThrow(/uses left/);
    expect(store.enrolment.devices()).toEqual([]);
    enrol("abc");
    expect(store.enrolment.tokens()[0].usesLeft).toBe(0);
    expect(() => enrol("d")).toThrow(/uses left/);
  });

  it("changes a token's terms without forgetting its devices", () => {
    store.enrolment.putToken(token);
    store.enrolment.enrol({ tokenId: token.id, added: [device("a")], recertified: [] });
    store.enrolment.putToken({ ...token, uses: 9, usesLeft: 8, expiresAt: 1 });
    expect(store.enrolment.tokens()).toEqual([{ ...token, uses: 9, usesLeft: 8, expiresAt: 1 }]);
    expect(store.enrolment.devices()).toHaveLength(1);
  });

  it("is added to a run of the version before, which keeps what it holds", () => {
    const path = join(folder, "old.db");
    const database = openDatabase(path);
    try {
      migrate(database, path, MIGRATIONS.slice(0, 1));
      database.exec("INSERT INTO rounds (round, outcome) VALUES (1, 'open')");
      expect(migrate(database, path)).toEqual({ from: 1, to: MIGRATIONS.length });
      expect(database.prepare("SELECT count(*) AS n FROM rounds").get()).toMatchObject({ n: 1 });
      expect(database.prepare("SELECT count(*) AS n FROM devices").get()).toMatchObject({ n: 0 });
    } finally {
      database.close();
    }
  });
});

describe("events", () => {
  it("are read a page at a time", () => {
    store.appendEvents(Array.from({ length: 10 }, (_, i) => logEvent(i + 1, "x")));
    expect(store.events(3, 4).map(({ seq }) => seq)).toEqual([4, 5, 6, 7]);
    expect(store.events(8, 4).map(({ seq }) => seq)).toEqual([9, 10]);
    expect(store.events(0, 0)).toEqual([]);
    expect(store.events()).toHaveLength(10);
  });
});
