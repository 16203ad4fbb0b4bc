import { execFile, spawnSync } from "node:child_process";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { parse } from "yaml";
import { invitedPerRound, runConfigSchema } from "../../simulations/experiments/config.ts";
import { murmur } from "../cli/memory-edge.ts";
import {
  type ComposeService,
  flagValue,
  imageEnvironment,
  ROOT,
  readComposeFile,
  readText,
} from "./deployment-files.ts";

const text = readText("docker-compose.yml");
const file = readComposeFile();
const { coordinator, fleet } = file.services;
const services = Object.entries<ComposeService>(file.services);
const config = runConfigSchema.parse(parse(readText("examples/serve.yaml")));

const TOKEN = /murmur_[eo]_[0-9a-f]{8}_[A-Za-z0-9_-]{43}/;

describe("docker-compose.yml: every container", () => {
  it("stands in a file that docker-compose 1.29 knows all sections of: no top-level name", () => {
    expect(Object.keys(file).sort()).toEqual(["networks", "services", "volumes", "x-container"]);
  });

  it("is one of two kinds", () => {
    expect(Object.keys(file.services)).toEqual(["coordinator", "fleet"]);
  });

  it.each(services)("%s cannot change its own program, and writes only in /tmp and its data", (_, service) => {
    expect(service.read_only).toBe(true);
    const writable = service.volumes.filter((mount) => mount.read_only !== true);
    expect(service.command.filter((word) => /^(--out|-o)\b/.test(word))).toEqual([]);
    expect(writable.map(({ type, target }) => `${type} ${target}`)).toEqual([
      `volume ${service === coordinator ? imageEnvironment().get("MURMUR_OUT") : flagValue(service.command, "data")}`,
    ]);
    expect(service.tmpfs).toEqual([expect.stringMatching(/^\/tmp:size=\d+m,/)]);
  });

  it.each(services)("%s has no privilege: not root, no capability, no way to more", (_, service) => {
    expect(service.user).toMatch(/^[1-9]\d{3,}:[1-9]\d{3,}$/);
    expect(service.cap_drop).toEqual(["ALL"]);
    expect(service.security_opt).toEqual(["no-new-privileges:true"]);
    const more = ["privileged", "cap_add", "devices", "group_add", "userns_mode", "pid", "ipc", "network_mode"];
    expect(Object.keys(service).filter((key) => more.includes(key))).toEqual([]);
  });

  it.each(services)("%s cannot use up the machine: memory, swap, processors, processes, logs", (_, service) => {
    expect(service.mem_limit).toMatch(/^\d+[mg]$/);
    expect(service.memswap_limit).toBe(service.mem_limit);
    expect(service.cpus).toBeGreaterThan(0);
    // More than a machine has is refused by the engine.
    expect(service.cpus).toBeLessThanOrEqual(1);
    expect(service.pids_limit).toBeGreaterThan(0);
    expect(service.logging.options).toEqual({
      "max-size": expect.stringMatching(/^\d+m$/),
      "max-file": expect.stringMatching(/^\d+$/),
    });
  });

  it.each(services)("%s gets its signals, and comes back after a failure but not after its end", (_, service) => {
    expect(service.init).toBe(true);
    expect(service.restart).toBe("on-failure");
  });

  it("has no secret in clear: the token has to be given, by variable", () => {
    for (const [, { environment }] of services) {
      expect(Object.keys(environment)).toEqual(["MURMUR_JOIN_TOKEN"]);
      expect(environment.MURMUR_JOIN_TOKEN).toMatch(/^\$\{MURMUR_JOIN_TOKEN:\?[^}]+\}$/);
    }
    expect(
      [text, readText("Dockerfile"), readText("examples/serve.yaml"), readText("docs/running.md")].join(),
    ).not.toMatch(TOKEN);
  });

  it("shares no folder of the machine but the configuration, read-only", () => {
    const binds = services.flatMap(([, { volumes }]) => volumes.filter(({ type }) => type === "bind"));
    expect(binds).toEqual([
      { type: "bind", source: "./examples/serve.yaml", target: coordinator.command[1], read_only: true },
    ]);
  });
});

describe("docker-compose.yml: the coordinator", () => {
  it("is published on this machine alone, at the port that it listens on", () => {
    const port = flagValue(coordinator.command, "port");
    expect(coordinator.ports).toEqual([`127.0.0.1:${port}:${port}`]);
    expect(fleet.ports).toBeUndefined();
  });

  it("keeps its runs on a named volume", () => {
    const [runs] = coordinator.volumes;
    expect(runs.source).toBeDefined();
    expect(Object.keys(file.volumes)).toEqual([runs.source]);
  });

  it.each([
    ["healthy when it is ready", "coordinator", 200, "/readyz", 0],
    ["unhealthy when it says that it is not", "coordinator", 503, "/readyz", 1],
    ["unhealthy when something else answers there", "coordinator", 200, "/", 1],
    ["healthy while its coordinator lives", "fleet", 200, "/healthz", 0],
    ["unhealthy when its coordinator does not", "fleet", 500, "/healthz", 1],
  ] as const)("is %s: the %s", async (_, service, status, path, exitCode) => {
    const server = createServer((request, response) => {
      response.statusCode = request.url === path ? status : 404;
      response.end('{"ready":"as the status says"}');
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void server.close());
    expect(await healthOf(service, (server.address() as AddressInfo).port)).toBe(exitCode);
  });

  it("is unhealthy when nothing listens", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    expect(await healthOf("coordinator", port)).toBe(1);
    expect(await healthOf("fleet", port)).toBe(1);
  });
});

/** The exit code of the health check, as a container would run it. */
function healthOf(service: "coordinator" | "fleet", port: number): Promise<number> {
  const [kind, command, ...args] = { coordinator, fleet }[service].healthcheck?.test ?? [];
  expect([kind, command]).toEqual(["CMD", "node"]);
  const host = service === "coordinator" ? "127.0.0.1" : "coordinator";
  const at = `${host}:${flagValue(coordinator.command, "port")}`;
  expect(args.at(-1)).toContain(at);
  const here = args.map((argument) => argument.replace(at, `127.0.0.1:${port}`));
  return new Promise((resolve) => {
    const child = execFile(process.execPath, here);
    child.on("exit", (code) => resolve(code ?? -1));
  });
}

describe("docker-compose.yml: the commands", () => {
  it.each(services)("%s: murmur knows it, with these flags and this configuration", async (_, { command, volumes }) => {
    const mounted = new Map(volumes.map(({ source, target }) => [target, `${ROOT}${source}`]));
    const here = command.map((word) => mounted.get(word) ?? word);
    const { exitCode, stdout, stderr } = await murmur([...here, "--dry-run", "--format=json"], {
      env: { MURMUR_JOIN_TOKEN: "the token of a test" },
    });
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    expect(JSON.parse(stdout)).toMatchObject({ ok: true, dryRun: true });
  });

  it("print no token where output is kept", () => {
    expect(coordinator.command).toEqual(expect.arrayContaining(["--no-progress", "--log=-"]));
  });
});

describe("docker-compose.yml: the fleet", () => {
  it("can be scaled: nothing of a replica is named or fixed", () => {
    expect(Object.keys(fleet).filter((key) => ["container_name", "hostname", "ports"].includes(key))).toEqual([]);
  });

  it("has keys of its own in each replica, which outlive a restart: a volume without a name", () => {
    expect(fleet.volumes).toEqual([{ type: "volume", target: flagValue(fleet.command, "data") }]);
  });

  it("dials the coordinator by a name that it goes by, once it is healthy", () => {
    const [, url] = fleet.command;
    expect(new URL(url).host).toBe(`coordinator:${flagValue(coordinator.command, "port")}`);
    expect(config.serve.names).toContain(new URL(url).host);
    expect(fleet.depends_on).toEqual({ coordinator: { condition: "service_healthy" } });
  });

  it("reaches the coordinator and nothing else", () => {
    const isInternal = (name: string) => file.networks[name].internal === true;
    expect(fleet.networks.filter((name) => !isInternal(name))).toEqual([]);
    expect(coordinator.networks).toEqual(expect.arrayContaining([...fleet.networks]));
    // On internal networks alone its port would not be published.
    expect(coordinator.networks.filter((name) => !isInternal(name))).toHaveLength(1);
  });

  it("has devices enough for a round with one replica, and data and token uses for three", () => {
    const devices = Number(flagValue(fleet.command, "devices"));
    expect(devices).toBeGreaterThanOrEqual(invitedPerRound(config));
    expect(config.fleet.devices).toBe(3 * devices);
    expect(config.serve.joinToken.count).toBeGreaterThanOrEqual(3 * devices);
  });
});

describe("the command that makes a join token", () => {
  const recipe = /export MURMUR_JOIN_TOKEN=(".*")$/m.exec(text)?.[1];
  const openssl = spawnSync("openssl", ["version"]).status === 0;

  it("is the same in docker-compose.yml and in docs/running.md", () => {
    expect(recipe).toBeDefined();
    expect(readText("docs/running.md")).toContain(`export MURMUR_JOIN_TOKEN=${recipe}\n`);
  });

  it.skipIf(!openssl)(`makes tokens of the format${openssl ? "" : " (skipped: openssl is not installed)"}`, () => {
    const make = () => spawnSync("sh", ["-c", `printf %s ${recipe}`], { encoding: "utf8" }).stdout;
    const tokens = Array.from({ length: 20 }, make);
    for (const token of tokens) expect(token).toMatch(new RegExp(`^${TOKEN.source}$`));
    expect(new Set(tokens).size).toBe(tokens.length);
  });
});

const installed = spawnSync("docker-compose", ["--version"]).status === 0;

describe.skipIf(!installed)(`docker-compose${installed ? "" : " (skipped: it is not installed)"}`, () => {
  const { MURMUR_JOIN_TOKEN: _, MURMUR_PUBLISH: __, ...environment } = process.env;
  const composeConfig = (variables: Readonly<Record<string, string>>) =>
    spawnSync("docker-compose", ["--file", "docker-compose.yml", "config"], {
      cwd: ROOT,
      env: { ...environment, ...variables },
      encoding: "utf8",
    });

  it("accepts the file, and leaves nothing of it out", () => {
    const { status, stdout, stderr } = composeConfig({ MURMUR_JOIN_TOKEN: "none" });
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    const resolved = parse(stdout) as { services: Record<string, Record<string, unknown>> };
    for (const [name, service] of services) {
      expect(Object.keys(resolved.services[name])).toEqual(expect.arrayContaining(Object.keys(service)));
      expect(resolved.services[name].environment).toEqual({ MURMUR_JOIN_TOKEN: "none" });
    }
  });

  it.each([
    ["no", {}],
    ["an empty", { MURMUR_JOIN_TOKEN: "" }],
  ])("refuses to start with %s token, and says where to read how one is made", (_, variables) => {
    const { status, stdout, stderr } = composeConfig(variables as Readonly<Record<string, string>>);
    expect(status).not.toBe(0);
    expect(stdout).toBe("");
    expect(stderr).toMatch(/MURMUR_JOIN_TOKEN.*the beginning of docker-compose\.yml says how/);
  });

  it("publishes the coordinator elsewhere when it is told to", () => {
    const { stdout } = composeConfig({ MURMUR_JOIN_TOKEN: "none", MURMUR_PUBLISH: "192.0.2.5:8443" });
    expect(stdout).toMatch(/192\.0\.2\.5[\s\S]*8443/);
  });
});
