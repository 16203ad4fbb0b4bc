import { MurmurError } from "../../shared/protocol/errors.ts";
import type { JoinedFleetResult } from "../../simulations/fleet/joined-fleet.ts";
import type { CommandDefinition } from "../command.ts";
import type { Signal } from "../edge.ts";
import type { Invocation } from "../invocation.ts";
import type { JoinTarget } from "../join-target.ts";
import type { JoinPlan } from "../joined-devices.ts";
import { countFlag, fractionFlag, MOST_DEVICES } from "../number-flags.ts";

/** `murmur join <url>`: devices of their own, in this process, for a coordinator anywhere. */
export const join: CommandDefinition = (parent, act) => {
  parent
    .command("join")
    .argument("<url>", "the coordinator's address, as `murmur serve` printed it")
    .description("run devices for a coordinator that may be anywhere")
    .option("--devices <number>", "devices in this process (default: 1)")
    .option("--data <folder>", "their keys and their memory of uploads (default: devices)")
    .option("--engine <name>", "what trains: onnx, tfjs or tfjs-node (default: onnx)")
    .option(
      "--authority <key>",
      "pin this enrolment authority, a key or authority.pub: takes part at active-server only",
    )
    .option("--certificates <file>", "the authority's certificates of these devices (murmur authority certify)")
    .option("--token <token>", "join token; better in the address or in MURMUR_JOIN_TOKEN: others see a command line")
    .option("--min-cohort <number>", "least devices in a sum that these take part in (default: 16)")
    .option("--min-honest <number>", "least honest devices in such a sum (default: 5)")
    .option("--corrupted <fraction>", "fraction of a cohort that may collude with the coordinator (default: 0.05)")
    .option("--dropout <fraction>", "fraction of a cohort that may be lost while it is masked (default: 0.1)")
    .option(
      "--model <file>",
      "the coordinator's model module, where it trains one of its own; or all of it by --config",
    )
    .option("--rounds-per-day <number>", "most rounds that a device uploads for in a day (default: 1000)")
    .option("--allow-plaintext", "take part without masks: the coordinator sees every update")
    .action(
      act(async (invocation, [url], options) => {
        const plan = await planOf(invocation, url ?? "", options);
        if (invocation.flags.dryRun) return describePlan(invocation, plan);
        await carryOut(invocation, plan);
      }),
    );
};

/** Milliseconds in which the devices leave; what hangs by then is cut off. */
const LEAVING_PATIENCE = 4_500;

async function planOf(invocation: Invocation, url: string, options: Record<string, unknown>): Promise<JoinPlan> {
  const { resolve } = await import("node:path");
  const { DEFAULT_POLICY } = await import("../../client/secagg/policy.ts");
  const { ENGINES } = await import("../../client/training/engines.ts");
  const { readAuthorityKey, readCertificates } = await import("../device-credentials.ts");
  const { findJoinToken, parseTarget } = await import("../join-target.ts");
  const { runsFolder } = await import("../run-folders.ts");
  const { cwd, env } = invocation.edge;
  const text = (name: string) => (options[name] === undefined ? undefined : String(options[name]));
  const target = parseTarget(url);
  const engine = text("engine") ?? "onnx";
  if (!Object.hasOwn(ENGINES, engine)) {
    throw new MurmurError("usage", `--engine must be one of ${Object.keys(ENGINES).join(", ")}; got "${engine}".`);
  }
  const authority = text("authority");
  const certificates = text("certificates");
  if ((authority === undefined) !== (certificates === undefined)) {
    throw new MurmurError("usage", "--authority and --certificates belong together.", {
      hint: "At active-server a device pins its authority and shows the authority's certificate; elsewhere neither.",
    });
  }
  return {
    target,
    token: findJoinToken({
      target,
      flag: text("token"),
      environment: env.MURMUR_JOIN_TOKEN,
      runs: runsFolder(invocation),
    }),
    devices: countFlag("--devices", text("devices"), 1, MOST_DEVICES),
    folder: resolve(cwd, text("data") ?? "devices"),
    engine: engine as JoinPlan["engine"],
    authority: authority === undefined ? undefined : readAuthorityKey(authority, cwd),
    certificates: certificates === undefined ? new Map() : readCertificates(certificates, cwd),
    policy: {
      ...DEFAULT_POLICY,
      minCohort: countFlag("--min-cohort", text("minCohort"), DEFAULT_POLICY.minCohort),
      minHonest: countFlag("--min-honest", text("minHonest"), DEFAULT_POLICY.minHonest),
      corrupted: fractionFlag("--corrupted", text("corrupted"), DEFAULT_POLICY.corrupted),
      dropout: fractionFlag("--dropout", text("dropout"), DEFAULT_POLICY.dropout),
      allowPlaintext: options.allowPlaintext === true,
    },
    maxRoundsPerDay: countFlag("--rounds-per-day", text("roundsPerDay"), 1000),
    own: await ownTask(invocation, target, text("model")),
  };
}

/**
 * What these devices have of a task that is in files: by --config, or from the folder of a run that is served on this
 * machine, which is the operator's own. Never from what the coordinator says.
 */
async function ownTask(
  invocation: Invocation,
  target: JoinTarget,
  model: string | undefined,
): Promise<JoinPlan["own"]> {
  const { join, resolve } = await import("node:path");
  const { existsSync } = await import("node:fs");
  const { loadConfiguration } = await import("../configuration.ts");
  const { localRunFolder } = await import("../join-target.ts");
  const { runsFolder } = await import("../run-folders.ts");
  const { RUN_FILES } = await import("../../simulations/experiments/run-files.ts");
  const { cwd } = invocation.edge;
  const module = model === undefined ? {} : { model: resolve(cwd, model) };
  const served = localRunFolder(target, runsFolder(invocation));
  const recorded = served === undefined ? undefined : join(served, RUN_FILES.config);
  const sources =
    invocation.flags.config !== undefined
      ? invocation.sources()
      : recorded !== undefined && existsSync(recorded)
        ? { cwd, file: recorded, assignments: [] }
        : undefined;
  if (sources === undefined) return module;
  const { task } = loadConfiguration(sources).config;
  return { dataset: task.dataset, model: task.model, ...module };
}

async function describePlan(invocation: Invocation, plan: JoinPlan): Promise<void> {
  const { toHex } = await import("../../shared/crypto/bytes.ts");
  const { shownPath } = await import("../run-folders.ts");
  const folder = shownPath(invocation.edge.cwd, plan.folder);
  const { target, token, devices, engine, policy, maxRoundsPerDay } = plan;
  const authority = plan.authority === undefined ? undefined : toHex(plan.authority);
  invocation.result(
    {
      ok: true,
      dryRun: true,
      url: target.origin.origin,
      devices,
      folder,
      engine,
      token: token?.from,
      authority,
      policy,
      maxRoundsPerDay,
    },
    () =>
      [
        `would run ${devices} devices of ${folder} for ${target.origin.origin}, trained by ${engine}`,
        `join token  ${token === undefined ? "none: the devices must be enrolled already" : `from ${token.from}`}`,
        `protection  ${authority === undefined ? "curious-server" : `active-server, authority ${authority}`}`,
        `sums        of ${policy.minCohort} devices or more, ${policy.minHonest} of them honest`,
        ...(policy.allowPlaintext ? ["PLAINTEXT is allowed: the coordinator may see every update"] : []),
      ].join("\n"),
  );
}

async function carryOut(invocation: Invocation, plan: JoinPlan): Promise<void> {
  const { edge } = invocation;
  const { cryptoProvider } = await import("../../shared/crypto/node-provider.ts");
  const { openDeviceFolder } = await import("../../client/storage/device-folder.ts");
  const { startJoinedDevices } = await import("../joined-devices.ts");
  const { createJoinDisplay } = await import("../views/join-lines.ts");
  const { machineTime } = await import("../machine-time.ts");
  const { shownPath } = await import("../run-folders.ts");
  const folder = openDeviceFolder(plan.folder, plan.devices, cryptoProvider);
  const display = createJoinDisplay(invocation, plan.devices);
  invocation.note(`${plan.devices} devices of ${shownPath(edge.cwd, plan.folder)} for ${plan.target.origin.origin}`);
  let stop: () => void = () => undefined;
  try {
    const fleet = startJoinedDevices(plan, {
      devices: folder.devices,
      provider: cryptoProvider,
      time: machineTime,
      breathe: () => edge.breathe(),
      report(device, progress) {
        display.show(device, progress);
        // Whoever listened is gone, as in `murmur join --format ndjson | head`.
        if (edge.stdout.closed) stop();
      },
    });
    stop = fleet.stop;
    let signal: Signal | undefined;
    let restore: () => void = () => undefined;
    const signalled = new Promise<void>((resolve) => {
      restore = edge.onSignal((received) => {
        signal = received;
        invocation.note("leaving");
        // A second signal ends the process as any other.
        restore();
        fleet.stop();
        resolve();
      });
    });
    const cutOff = signalled.then(
      () => new Promise<undefined>((resolve) => void machineTime.after(LEAVING_PATIENCE, () => resolve(undefined))),
    );
    const result = await Promise.race([fleet.ended, cutOff]).finally(restore);
    display.end();
    conclude(invocation, result, signal);
  } finally {
    display.end();
    folder.close();
  }
}

/** @throws {MurmurError} the first refusal, when every device was refused. */
function conclude(invocation: Invocation, result: JoinedFleetResult | undefined, signal: Signal | undefined): void {
  if (signal !== undefined) invocation.endWith(signal === "SIGTERM" ? 143 : 130);
  else if (invocation.edge.stdout.closed) invocation.endWith(141);
  if (result === undefined) {
    invocation.note("a device did not leave in time, and was cut off");
    return;
  }
  const { devices, rounds, uploads, finished } = result;
  if (signal === undefined && result.refused.length === devices) throw result.refused[0].error;
  const status = signal === undefined ? (finished ? "finished" : "stopped") : "interrupted";
  const refused = result.refused.map(({ device, error }) => ({ device, name: error.name, message: error.message }));
  invocation.result({ status, devices, rounds, uploads, refused }, (paint) =>
    [
      `${status === "finished" ? paint.learnt("✓ the run is over") : status}: ${devices} devices took part in ${rounds} rounds, with ${uploads} uploads`,
      ...(refused.length === 0 ? [] : [paint.warning(`${refused.length} of them were refused`)]),
    ].join("\n"),
  );
}
