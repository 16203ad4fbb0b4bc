import type { TlsFiles } from "../../server/api/http-server.ts";
import { MurmurError } from "../../shared/protocol/errors.ts";
import type { CommandDefinition } from "../command.ts";
import type { Invocation } from "../invocation.ts";
import type { RunPlan } from "../run-plan.ts";

/** `murmur serve [config.yaml]`: a coordinator for devices on sockets, until the run's rounds are done. */
export const serve: CommandDefinition = (parent, act) => {
  parent
    .command("serve")
    .argument("[config.yaml]", "configuration file; without one, MNIST with 100 devices")
    .description("coordinate devices that join over the network, into runs/<id>/")
    .option("--host <address>", "address to listen on (default: serve.host, 127.0.0.1: this machine only)")
    .option("--port <number>", "port to listen on; 0 takes a free one (default: serve.port, 8080)")
    .option("--tls-cert <file>", "certificate with its chain, PEM: serve https and wss")
    .option("--tls-key <file>", "the certificate's private key, PEM")
    .option("--join-token <token>", "a join token of your own; better in MURMUR_JOIN_TOKEN: others see a command line")
    .option(
      "--log <file>",
      "the operator's log, JSON lines; - for standard error (default: serve.log in the run's folder)",
    )
    .option("--resume [run]", "go on with a run that was stopped; without an id, with the last one")
    .option("--resume-or-start", "go on with the last run that was stopped, or else start one")
    .action(
      act(async (invocation, [file], options) => {
        const plan = await planOf(invocation, file, options);
        if (invocation.flags.dryRun) {
          const { describeRun } = await import("../describe-run.ts");
          return describeRun(invocation, plan);
        }
        await serveRun(invocation, plan, options);
      }),
    );
};

async function planOf(
  invocation: Invocation,
  file: string | undefined,
  options: Record<string, unknown>,
): Promise<RunPlan> {
  const { lastServedRun, newRun, reservedRun } = await import("../run-plan.ts");
  if (options.resume !== undefined) {
    return reservedRun(invocation, file, typeof options.resume === "string" ? options.resume : undefined);
  }
  const unfinished = options.resumeOrStart === true ? await lastServedRun(invocation, file) : undefined;
  return unfinished ?? newRun(invocation, file);
}

async function serveRun(invocation: Invocation, plan: RunPlan, options: Record<string, unknown>): Promise<void> {
  const { carryOutRun } = await import("../carry-out-run.ts");
  const { machineTime } = await import("../machine-time.ts");
  const { openServeLog } = await import("../serve-log.ts");
  const { toolVersion } = await import("../version.ts");
  const { servingLines } = await import("../views/serving-lines.ts");
  const { federateServed } = await import("../../simulations/experiments/served-federation.ts");
  const { edge } = invocation;
  const text = (name: string) => (options[name] === undefined ? undefined : String(options[name]));
  const host = text("host");
  const port = portOf(text("port"));
  const tls = await tlsOf(invocation, text("tlsCert"), text("tlsKey"));
  const joinToken = text("joinToken") ?? nonEmpty(edge.env.MURMUR_JOIN_TOKEN);
  const log = openServeLog(text("log"), plan.folder, invocation.flags.verbose);
  try {
    await carryOutRun(invocation, plan, {
      transport: "sockets",
      federate: ({ stop, print }) =>
        federateServed({
          ...(host === undefined ? {} : { host }),
          ...(port === undefined ? {} : { port }),
          ...(tls === undefined ? {} : { tls }),
          ...(joinToken === undefined ? {} : { joinToken }),
          version: toolVersion(),
          logger: log.logger,
          time: machineTime,
          defer: (task) => void edge.breathe().then(task),
          stop,
          onListening(serving) {
            const { serve: network, fleet } = plan.config;
            const bound = { host: host ?? network.host, secure: tls !== undefined, devices: fleet.devices };
            for (const line of servingLines(serving, bound, invocation.paint.stderr)) print(line);
            log.logger.info({ url: serving.url, run: plan.runId }, "listening");
          },
        }),
    });
  } finally {
    log.close();
  }
}

function portOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const port = Number(text);
  if (/^\d+$/.test(text) && port <= 65_535) return port;
  throw new MurmurError("usage", `--port wants a number from 0 to 65535; got "${text}".`);
}

async function tlsOf(
  { edge }: Invocation,
  cert: string | undefined,
  key: string | undefined,
): Promise<TlsFiles | undefined> {
  if (cert === undefined && key === undefined) return undefined;
  if (cert === undefined || key === undefined) {
    throw new MurmurError("tls-invalid", "--tls-cert and --tls-key belong together.");
  }
  const { readFileSync } = await import("node:fs");
  const { resolve } = await import("node:path");
  const read = (file: string) => {
    try {
      return readFileSync(resolve(edge.cwd, file));
    } catch (cause) {
      throw new MurmurError("tls-invalid", `${file} cannot be read.`, { cause });
    }
  };
  return { cert: read(cert), key: read(key) };
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === "" ? undefined : text;
}
