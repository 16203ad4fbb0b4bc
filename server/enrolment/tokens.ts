import { equalBytes, toHex } from "../../shared/crypto/bytes.ts";
import type { CryptoProvider } from "../../shared/crypto/provider.ts";
import { MurmurError } from "../../shared/protocol/errors.ts";
import type { Clock } from "../../shared/time/clock.ts";
import type { EnrolmentStore, TokenRecord, TokenScope } from "../store/enrolment-store.ts";

/** What a token is made for. */
export interface TokenTerms {
  readonly scope: TokenScope;
  /** Devices that an `enrol` token enrols; an `operate` token is not used up. */
  readonly count: number;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
}

/** What can be said of a token to anyone: everything but its secret's hash. */
export type TokenView = Omit<TokenRecord, "secretSha256">;

/**
 * The tokens of a run, in memory and in its store. Only hashes of their texts are kept: a text is told once, when the
 * token is made.
 */
export interface TokenBook {
  create(terms: TokenTerms): { readonly id: string; readonly token: string };
  /**
   * Takes a text that the operator chose as a token. A text that is known keeps the uses that it has had, and gets the
   * new count and expiry.
   * @returns the token's id.
   * @throws {MurmurError} `token-invalid` when it is too short to be a secret, was revoked, or has another scope.
   */
  adopt(text: string, terms: TokenTerms): string;
  /**
   * The token that the text is.
   * @throws {MurmurError} `token-missing`, `token-invalid`, `token-expired`.
   */
  require(text: string, scope: TokenScope): TokenRecord;
  /** Takes note of uses that the store has taken already. */
  used(id: string, uses: number): void;
  list(): TokenView[];
  /** False when there is no such token. */
  revoke(id: string): boolean;
}

/** An adopted text is stored as a bare SHA-256, so it must not be guessable. */
const SHORTEST_CHOSEN_TOKEN = 20;
const TOKEN = /^murmur_[eo]_([0-9a-f]{8})_[A-Za-z0-9_-]{43}$/;
const SCOPE_LETTERS = { enrol: "e", operate: "o" } as const satisfies Record<TokenScope, string>;

export function createTokenBook({
  store,
  provider,
  clock,
}: {
  readonly store: EnrolmentStore;
  readonly provider: Pick<CryptoProvider, "sha256" | "random">;
  readonly clock: Clock;
}): TokenBook {
  const tokens = new Map(store.tokens().map((token) => [token.id, token]));
  const now = (): number => Math.floor(clock.now());
  const hash = (text: string): Uint8Array => provider.sha256(new TextEncoder().encode(text));

  /** The id is public, and finds the token whose hash is compared. A chosen text has none: it is derived. */
  function partsOf(text: string): { readonly id: string; readonly secretSha256: Uint8Array } {
    const id = TOKEN.exec(text)?.[1] ?? toHex(hash(`murmuration-token-id/1 ${text}`).subarray(0, 4));
    return { id, secretSha256: hash(text) };
  }

  function keep(token: TokenRecord): void {
    store.putToken(token);
    tokens.set(token.id, token);
  }

  function fresh(id: string, secretSha256: Uint8Array, { scope, count, expiresAt }: TokenTerms): TokenRecord {
    const at = now();
    return { id, scope, secretSha256, usesLeft: count, uses: count, expiresAt: Math.floor(expiresAt), createdAt: at };
  }

  function unusedId(): string {
    for (;;) {
      const id = toHex(provider.random.bytes(4));
      if (!tokens.has(id)) return id;
    }
  }

  return {
    create(terms) {
      const id = unusedId();
      const secret = Buffer.from(provider.random.bytes(32)).toString("base64url");
      const token = `murmur_${SCOPE_LETTERS[terms.scope]}_${id}_${secret}`;
      keep(fresh(id, hash(token), terms));
      return { id, token };
    },
    adopt(text, terms) {
      if (text.length < SHORTEST_CHOSEN_TOKEN) {
        const hint = "Make one with `openssl rand -hex 32`.";
        throw new MurmurError("token-invalid", `A token has at least ${SHORTEST_CHOSEN_TOKEN} characters.`, { hint });
      }
      const { id, secretSha256 } = partsOf(text);
      const known = tokens.get(id);
      if (known === undefined) {
        keep(fresh(id, secretSha256, terms));
        return id;
      }
      if (!equalBytes(known.secretSha256, secretSha256) || known.scope !== terms.scope) {
        throw new MurmurError("token-invalid", `Another token has the id ${id}, which this one would get.`);
      }
      if (known.revokedAt !== undefined) {
        throw new MurmurError("token-invalid", `The token ${id} was revoked and stays so: choose another.`);
      }
      const spent = known.uses - known.usesLeft;
      const usesLeft = Math.max(0, terms.count - spent);
      keep({ ...known, uses: Math.max(terms.count, spent), usesLeft, expiresAt: Math.floor(terms.expiresAt) });
      return id;
    },
    require(text, scope) {
      if (text === "") throw new MurmurError("token-missing", "No token was given.");
      const { id, secretSha256 } = partsOf(text);
      const token = tokens.get(id);
      // One answer for all of these: who does not hold the secret learns nothing about the token.
      if (
        token === undefined ||
        !equalBytes(token.secretSha256, secretSha256) ||
        token.scope !== scope ||
        token.revokedAt !== undefined
      ) {
        throw new MurmurError("token-invalid", "The token is not one of this coordinator's, or not any more.");
      }
      if (now() >= token.expiresAt) throw new MurmurError("token-expired", `The token ${id} has expired.`);
      return token;
    },
    used(id, uses) {
      const token = tokens.get(id);
      if (token !== undefined) tokens.set(id, { ...token, usesLeft: token.usesLeft - uses });
    },
    list: () => [...tokens.values()].map(({ secretSha256: _, ...view }) => view),
    revoke(id) {
      const token = tokens.get(id);
      if (token === undefined) return false;
      if (token.revokedAt !== undefined) return true;
      const revokedAt = now();
      store.revokeToken(id, revokedAt);
      tokens.set(id, { ...token, revokedAt });
      return true;
    },
  };
}
