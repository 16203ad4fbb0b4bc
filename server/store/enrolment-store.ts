import { reporting, type SqliteDatabase, transact, transactUnsynced } from "./database.ts";

/** What a token lets its bearer do: enrol devices, or change the coordinator's state. */
export const TOKEN_SCOPES = ["enrol", "operate"] as const;
export type TokenScope = (typeof TOKEN_SCOPES)[number];

/** Times are milliseconds since 1970, whole. */
export interface TokenRecord {
  /** 8 hexadecimal digits; public. */
  readonly id: string;
  readonly scope: TokenScope;
  /** 32 bytes. */
  readonly secretSha256: Uint8Array;
  /** Devices that it can still enrol. */
  readonly usesLeft: number;
  /** Devices that it was made for. */
  readonly uses: number;
  readonly expiresAt: number;
  readonly createdAt: number;
  readonly revokedAt?: number;
}

export interface DeviceRecord {
  /** Ed25519, 64 lower-case hexadecimal digits. */
  readonly publicKey: string;
  /** 72 bytes, where the population has an authority. */
  readonly certificate?: Uint8Array;
  /** The token that it was enrolled with. */
  readonly tokenId: string;
  readonly enrolledAt: number;
  readonly revokedAt?: number;
  /** What the coordinator called it on its last connection. */
  readonly lastName?: string;
}

/** Tokens and enrolled devices. Every method but {@link setLastName} is one transaction, on disk when it returns. */
export interface EnrolmentStore {
  tokens(): TokenRecord[];
  devices(): DeviceRecord[];
  /** Writes a new token, or the uses and the expiry of one that is there. */
  putToken(token: TokenRecord): void;
  /**
   * Adds devices, which costs the token a use each, and keeps newer certificates of devices that are there.
   * @throws {Error} when the token has fewer uses left, or a device to add is there; then nothing is written.
   */
  enrol(enrolment: StoredEnrolment): void;
  revokeDevice(publicKey: string, at: number): void;
  revokeToken(id: string, at: number): void;
  /** Not synced: ten thousand devices connect at once, and a power failure may cost the last of their names. */
  setLastName(publicKey: string, name: string): void;
}

export interface StoredEnrolment {
  readonly tokenId: string;
  readonly added: readonly DeviceRecord[];
  readonly recertified: readonly Required<Pick<DeviceRecord, "publicKey" | "certificate">>[];
}

export function enrolmentStore(database: SqliteDatabase, path: string): EnrolmentStore {
  function all<Row>(sql: string): Row[] {
    return reporting(path, () => database.prepare(sql).all() as Row[]);
  }

  function write(sql: string, ...values: readonly unknown[]): number {
    return database.prepare(sql).run(...values).changes;
  }

  function transaction(work: () => void): void {
    reporting(path, () => transact(database, work));
  }

  return {
    tokens: () => all<TokenRow>("SELECT * FROM tokens ORDER BY created_at, id").map(tokenOf),
    devices: () => all<DeviceRow>("SELECT * FROM devices ORDER BY public_key").map(deviceOf),
    putToken(token) {
      const sql = `INSERT INTO tokens VALUES (?, ?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (id) DO UPDATE SET uses_left = excluded.uses_left, uses = excluded.uses, expires_at = excluded.expires_at`;
      const { id, scope, secretSha256, usesLeft, uses, expiresAt, createdAt, revokedAt } = token;
      transaction(() => {
        write(sql, id, scope, secretSha256, usesLeft, uses, expiresAt, createdAt, revokedAt ?? null);
      });
    },
    enrol({ tokenId, added, recertified }) {
      transaction(() => {
        const take = "UPDATE tokens SET uses_left = uses_left - ? WHERE id = ? AND uses_left >= ?";
        if (write(take, added.length, tokenId, added.length) !== 1) {
          throw new Error(`token ${tokenId} has no ${added.length} uses left`);
        }
        const insert = database.prepare(
          "INSERT INTO devices (public_key, certificate, token_id, enrolled_at) VALUES (?, ?, ?, ?)",
        );
        for (const device of added) {
          insert.run(device.publicKey, device.certificate ?? null, device.tokenId, device.enrolledAt);
        }
        const replace = database.prepare("UPDATE devices SET certificate = ? WHERE public_key = ?");
        for (const { publicKey, certificate } of recertified) replace.run(certificate, publicKey);
      });
    },
    revokeDevice(publicKey, at) {
      transaction(() => {
        write("UPDATE devices SET revoked_at = ? WHERE public_key = ?", at, publicKey);
      });
    },
    revokeToken(id, at) {
      transaction(() => {
        write("UPDATE tokens SET revoked_at = ? WHERE id = ?", at, id);
      });
    },
    setLastName(publicKey, name) {
      reporting(path, () =>
        transactUnsynced(database, () => {
          write("UPDATE devices SET last_name = ? WHERE public_key = ?", name, publicKey);
        }),
      );
    },
  };
}

interface TokenRow {
  readonly id: string;
  readonly scope: TokenScope;
  readonly secret_sha256: Uint8Array;
  readonly uses_left: number;
  readonly uses: number;
  readonly expires_at: number;
  readonly created_at: number;
  readonly revoked_at: number | null;
}

function tokenOf(row: TokenRow): TokenRecord {
  return {
    id: row.id,
    scope: row.scope,
    // A copy: a blob's bytes belong to the driver.
    secretSha256: new Uint8Array(row.secret_sha256),
    usesLeft: row.uses_left,
    uses: row.uses,
    expiresAt: row.expires_at,
    createdAt: row.created_at,
    ...(row.revoked_at === null ? {} : { revokedAt: row.revoked_at }),
  };
}

interface DeviceRow {
  readonly public_key: string;
  readonly certificate: Uint8Array | null;
  readonly token_id: string;
  readonly enrolled_at: number;
  readonly revoked_at: number | null;
  readonly last_name: string | null;
}

function deviceOf(row: DeviceRow): DeviceRecord {
  return {
    publicKey: row.public_key,
    ...(row.certificate === null ? {} : { certificate: new Uint8Array(row.certificate) }),
    tokenId: row.token_id,
    enrolledAt: row.enrolled_at,
    ...(row.revoked_at === null ? {} : { revokedAt: row.revoked_at }),
    ...(row.last_name === null ? {} : { lastName: row.last_name }),
  };
}
