import { describe, expect, it } from "vitest";
import { createOwnNames } from "../../../server/api/own-names.ts";

function namesOf(host: string, names: readonly string[] = [], port = 8080) {
  return createOwnNames({
    names,
    host,
    port: () => port,
    interfaces: () => ["127.0.0.1", "::1", "10.0.0.5", "fd00::5"],
  });
}

function verdicts(host: string, names: readonly string[], candidates: readonly string[], port?: number): boolean[] {
  const own = namesOf(host, names, port);
  return candidates.map((candidate) => own.accepts(candidate));
}

describe("the names of a coordinator", () => {
  it("on the loopback are the loopback's, at its port", () => {
    const yes = ["127.0.0.1:8080", "localhost:8080", "LOCALHOST:8080", "[::1]:8080", "127.0.0.2:8080"];
    for (const host of ["127.0.0.1", "localhost", "::1"]) expect(verdicts(host, [], yes)).toEqual(yes.map(() => true));
    const no = [
      "evil.example:8080",
      "127.0.0.1:8081",
      "127.0.0.1",
      "localhost",
      "10.0.0.5:8080",
      "localhost.evil.example:8080",
      "127.0.0.1.evil.example:8080",
      "evil.localhost:8080",
      "localhost.:8080",
      "user@localhost:8080",
      "localhost:8080@evil.example",
      "localhost:8080/",
      "localhost:8080,evil.example",
      "localhost:80800",
      "::1:8080",
      "[::1",
      "",
      " localhost:8080",
    ];
    expect(verdicts("127.0.0.1", [], no)).toEqual(no.map(() => false));
  });

  it("on every interface are this machine's addresses", () => {
    const yes = ["10.0.0.5:8080", "[fd00::5]:8080", "127.0.0.1:8080", "localhost:8080"];
    for (const host of ["0.0.0.0", "::"]) expect(verdicts(host, [], yes)).toEqual(yes.map(() => true));
    const no = ["10.0.0.6:8080", "0.0.0.0:8080", "[::]:8080", "10.0.0.5:80", "coordinator:8080"];
    expect(verdicts("0.0.0.0", [], no)).toEqual(no.map(() => false));
  });

  it("on one address are that one only", () => {
    expect(verdicts("10.0.0.5", [], ["10.0.0.5:8080", "127.0.0.1:8080", "[fd00::5]:8080"])).toEqual([
      true,
      false,
      false,
    ]);
    expect(verdicts("fd00::5", [], ["[fd00::5]:8080", "10.0.0.5:8080"])).toEqual([true, false]);
  });

  it("are those that are configured, at one port or at any", () => {
    const names = ["Coordinator.example", "proxy.example:443"];
    const yes = ["coordinator.example", "coordinator.example:9", "proxy.example:443", "proxy.example"];
    expect(verdicts("0.0.0.0", names, yes)).toEqual(yes.map(() => true));
    expect(verdicts("0.0.0.0", names, ["proxy.example:8443", "example", "a.coordinator.example"])).toEqual([
      false,
      false,
      false,
    ]);
  });

  it("need no port where it is the usual one", () => {
    expect(verdicts("127.0.0.1", [], ["localhost", "localhost:80"], 80)).toEqual([true, true]);
    expect(verdicts("127.0.0.1", [], ["localhost", "localhost:443"], 443)).toEqual([true, true]);
  });
});
