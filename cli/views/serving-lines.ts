import { ownAddresses } from "../../server/api/own-names.ts";
import { bracketed, isLoopback, isWildcard } from "../../shared/protocol/hosts.ts";
import type { ServeFile } from "../../simulations/experiments/serve-file.ts";
import type { Colours } from "./colours.ts";

/** Where a coordinator listens, how devices join, and what else can be reached. */
export function servingLines(
  { url, joinToken }: ServeFile,
  { host, secure, devices }: { readonly host: string; readonly secure: boolean; readonly devices: number },
  paint: Colours,
): string[] {
  const lines = [
    `${paint.bold("coordinator")}  ${url}`,
    `${paint.dim("join here")}    murmur join ${url} --devices ${devices}`,
  ];
  if (isLoopback(host)) return lines;
  const { protocol, port } = new URL(url);
  const addresses = isWildcard(host) ? ownAddresses().filter((address) => !address.startsWith("fe80:")) : [host];
  for (const address of addresses) {
    lines.push(
      `${paint.dim("elsewhere")}    murmur join '${protocol}//${bracketed(address)}:${port || (secure ? 443 : 80)}/#${joinToken}'`,
    );
  }
  lines.push(
    paint.warning(
      `open: whoever reaches ${host} reaches the devices' endpoint (enrolled devices only), enrolment (with a`,
    ),
    paint.warning(
      "join token), models by their hash, and status, events and metrics, which anyone may read and nobody change.",
    ),
  );
  if (!secure) {
    lines.push(
      paint.warning(
        "Without --tls-cert whoever is on the way can read what passes, and put itself in the coordinator's place.",
      ),
    );
  }
  return lines;
}
