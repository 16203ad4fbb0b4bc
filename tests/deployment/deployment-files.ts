import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";

export const ROOT = fileURLToPath(new URL("../../", import.meta.url));

export function readText(path: string): string {
  return readFileSync(`${ROOT}${path}`, "utf8");
}

export interface Mount {
  readonly type: "volume" | "bind";
  readonly source?: string;
  readonly target: string;
  readonly read_only?: boolean;
}

/** What docker-compose.yml uses of the Compose format; what it must not use is looked for by name. */
export interface ComposeService {
  readonly build: string;
  readonly image: string;
  readonly user: string;
  readonly read_only: boolean;
  readonly cap_drop: readonly string[];
  readonly security_opt: readonly string[];
  readonly tmpfs: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly restart: string;
  readonly logging: { readonly options: Readonly<Record<string, string>> };
  readonly command: readonly string[];
  readonly ports?: readonly string[];
  readonly networks: readonly string[];
  readonly volumes: readonly Mount[];
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly mem_limit: string;
  readonly memswap_limit: string;
  readonly cpus: number;
  readonly pids_limit: number;
  readonly init: boolean;
}

export interface ComposeFile {
  readonly services: { readonly coordinator: ComposeService; readonly fleet: ComposeService };
  readonly volumes: Readonly<Record<string, unknown>>;
  readonly networks: Readonly<Record<string, { readonly internal?: boolean }>>;
}

/** docker-compose.yml with its anchors merged, and every variable that has a default replaced by it. */
export function readComposeFile(): ComposeFile {
  const text = readText("docker-compose.yml").replace(/\$\{\w+:-([^}]*)\}/g, "$1");
  return parse(text, { merge: true }) as ComposeFile;
}

export interface Instruction {
  /** "FROM", "RUN", … */
  readonly name: string;
  readonly rest: string;
}

/** The Dockerfile's instructions, continuation lines joined, by stage. */
export function readDockerfile(): Instruction[][] {
  const lines = readText("Dockerfile")
    .replace(/^#.*\n/gm, "")
    .replace(/\\\n/g, " ")
    .split("\n");
  const instructions = lines
    .filter((line) => line.trim() !== "")
    .map((line) => /^(\w+)\s+(.*)$/.exec(line) ?? ["", line, ""])
    .map(([, name, rest]) => ({ name, rest: rest.replace(/\s+/g, " ") }));
  return instructions.reduce<Instruction[][]>((stages, instruction) => {
    if (instruction.name === "FROM") stages.push([]);
    stages.at(-1)?.push(instruction);
    return stages;
  }, []);
}

/** The variables that the image's last stage sets. */
export function imageEnvironment(): ReadonlyMap<string, string> {
  const settings = (readDockerfile().at(-1) ?? []).filter(({ name }) => name === "ENV").map(({ rest }) => rest);
  const pairs = settings.flatMap((rest) => rest.split(" ")).map((pair) => pair.split("="));
  return new Map(pairs.map(([name, value]) => [name, value]));
}

/** The value of `--name=value` in a command. */
export function flagValue(command: readonly string[], name: string): string {
  const flag = command.find((word) => word.startsWith(`--${name}=`));
  if (flag === undefined) throw new Error(`no --${name} in ${command.join(" ")}`);
  return flag.slice(name.length + 3);
}
