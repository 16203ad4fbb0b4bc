import type { NewToken, TokenTerms } from "../operator-client.ts";
import type { Colours } from "./colours.ts";
import { countText } from "./figures.ts";
import { minuteText } from "./operator-tables.ts";

/** The token, what to do with it, and what ends it. @param url the coordinator's origin */
export function newTokenLines({ id, token, expiresAt }: NewToken, terms: TokenTerms, url: string, paint: Colours) {
  const use =
    terms.scope === "enrol"
      ? `${paint.dim("join here")}  murmur join '${joinAddress(url, token)}'`
      : `${paint.dim("use it")}     in MURMUR_OPERATOR_TOKEN, with --url ${url}`;
  const reach = terms.scope === "enrol" ? `, for ${devicesText(terms.count)}` : "";
  return [
    `${paint.dim("token")}      ${token}`,
    use,
    `${paint.dim("good")}       until ${minuteText(expiresAt)} UTC${reach}; \`murmur token revoke ${id}\` ends it`,
  ];
}

/** An address that `murmur join` takes. */
export function joinAddress(url: string, token: string): string {
  return `${url}/#${token}`;
}

/** "1 device", "2,000 devices". */
export function devicesText(count: number): string {
  return `${countText(count)} ${count === 1 ? "device" : "devices"}`;
}
