import { expect, it } from "vitest";
import { createTrainingQueue } from "../../../simulations/fleet/training-queue.ts";

const breathe = () => new Promise<void>((resolve) => setImmediate(resolve));

it("trains one at a time, in turn, and skips what is not wanted any more", async () => {
  const queue = createTrainingQueue(breathe);
  const log: string[] = [];
  let late = true;
  const train = (name: string) => async () => {
    log.push(`${name} begins`);
    await breathe();
    log.push(`${name} ends`);
    if (name === "b") throw new Error("failed");
    return name;
  };
  const a = queue.run(() => true, train("a"));
  const b = queue.run(() => true, train("b"));
  const c = queue.run(() => late, train("c"));
  const d = queue.run(() => true, train("d"));
  late = false;
  await expect(a).resolves.toBe("a");
  await expect(b).rejects.toThrow("failed");
  await expect(c).resolves.toBeUndefined();
  await expect(d).resolves.toBe("d");
  expect(log).toEqual(["a begins", "a ends", "b begins", "b ends", "d begins", "d ends"]);
  await queue.idle();
});
