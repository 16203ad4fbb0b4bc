import { readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { providers } from "../shared/crypto/providers.ts";
import { goldenSession } from "./golden-session.ts";

const VECTOR = new URL("../vectors/secagg-session.json", import.meta.url);

// A change of these bytes is a change of the protocol: raise FRAME_VERSION or SUITE, and record them anew with
// UPDATE_GOLDEN=1.
test.each(providers)("the $name provider reproduces the golden session byte for byte", (provider) => {
  const session = goldenSession(provider);
  if (process.env.UPDATE_GOLDEN === "1") writeFileSync(VECTOR, `${JSON.stringify(session, null, 1)}\n`);
  expect(session).toEqual(JSON.parse(readFileSync(VECTOR, "utf8")));
});
