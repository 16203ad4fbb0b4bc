import type { CommandDefinition } from "../command.ts";

/** `murmur attack <name> [run or config]`: what somebody could get out of what a coordinator sees. */
export const attack: CommandDefinition = (parent, act) => {
  parent
    .command("attack")
    .argument("<attack>", "invert, imprint, label, member, canary or backdoor")
    .argument("[run or config.yaml]", "a run's id or folder, or a configuration; without one, MNIST with the 2NN")
    .description("attack a model's updates, with and without secure aggregation and noise")
    .option("--devices <n>", "devices in the sum that the coordinator sees; several are compared when absent")
    .option("--noise <z>", "noise on the sum, in clip norms; with and without are compared when absent")
    .option("--quick", "fewer repetitions: rougher figures, sooner")
    .addHelpText(
      "after",
      "\nPictures and figures are written into runs/attack-<name>/, or into the folder of --out.\ndocs/attacks.md says what each attack shows, and what stops it.",
    )
    .action(
      act(async (invocation, [name, target], { devices, noise, quick }) => {
        const { carryOutAttack } = await import("../carry-out-attack.ts");
        await carryOutAttack(invocation, { name: name ?? "", target, devices, noise, quick: quick === true });
      }),
    );
};
