import type { Attack } from "./attack.ts";
import { backdoor } from "./backdoor.ts";
import { canary } from "./canary.ts";
import { imprint } from "./imprint.ts";
import { invert } from "./invert.ts";
import { label } from "./label.ts";
import { member } from "./member.ts";

/** Every attack, by the name that the command knows it by. To add one, add its file and its line. */
export const ATTACKS = {
  invert,
  imprint,
  label,
  member,
  canary,
  backdoor,
} as const satisfies Readonly<Record<string, Attack>>;

export type AttackName = keyof typeof ATTACKS;
