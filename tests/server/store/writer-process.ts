import { openRunStore } from "../../../server/store/run-store.ts";
import { commitOf, logEvent, meta } from "./run-fixtures.ts";

// Run as a process of its own, which its test kills: writes rounds for ever, and says what has been promised to be kept.
const store = openRunStore(process.argv[2], { mode: process.argv[3] === "resume" ? "resume" : "create" });
if (store.meta() === undefined) store.putMeta(meta);
store.closeInterrupted();
process.stdout.write("open\n");
for (;;) {
  const round = store.spendRound();
  process.stdout.write(`spent ${round}\n`);
  for (let i = 0; i < 5; i++) store.appendEvents([logEvent(store.nextSequence(), "é☃ ".repeat(40 * i), round)]);
  store.markUploadsUsed(round, ["a", "b"]);
  store.commitRound(commitOf(round, [logEvent(store.nextSequence(), `done ${round}`, round)]));
  process.stdout.write(`committed ${round}\n`);
}
