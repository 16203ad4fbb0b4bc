import type { Answer, Calls, Question } from "./processes.ts";

/** Makes this process answer its parent, for as long as there is one. */
export function answerParent(calls: Calls): void {
  process.on("message", async (message) => {
    const { id, call, args } = message as Question;
    tell(await answerOf(id, calls[call] as (...args: readonly unknown[]) => unknown, args));
  });
  process.on("disconnect", () => process.exit());
  // A terminal sends Ctrl-C to all of them; the parent ends its own.
  process.on("SIGINT", () => {});
}

async function answerOf(
  id: number,
  call: (...args: readonly unknown[]) => unknown,
  args: readonly unknown[],
): Promise<Answer> {
  try {
    return { id, value: await call(...args) };
  } catch (error) {
    return { id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}

function tell(answer: Answer): void {
  process.send?.(answer);
}
