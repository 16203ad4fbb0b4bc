import { execFileSync, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { createOperator } from "../../cli/operator-client.ts";
import { MurmurError } from "../../shared/protocol/errors.ts";
import { openCoordinator } from "../server/api/coordinator-fixture.ts";
import { BINARY, ended, ensureBuilt } from "./built-binary.ts";
import { temporaryFolder } from "./memory-edge.ts";

const TOKEN = `murmur_o_00000000_${"A".repeat(43)}`;

const never = () => () => undefined;

/** An operator of whatever answers. */
function operatorOf(url: string, after: (milliseconds: number, callback: () => void) => () => void = never) {
  return createOperator({ origin: new URL(url), token: TOKEN, tokenFrom: "MURMUR_OPERATOR_TOKEN" }, { after });
}

async function answering(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function errorOf(work: Promise<unknown>): Promise<MurmurError> {
  const error = await work.then(
    () => new Error("it was answered"),
    (reason: unknown) => reason,
  );
  if (!(error instanceof MurmurError)) throw error;
  return error;
}

describe("what an answer means", () => {
  it.each([
    [429, "rate-limited"],
    [503, "store-locked"],
    [503, "coordinator-busy"],
    [500, "internal"],
    [403, "origin-refused"],
  ])("is, with status %i, the error that the coordinator names", async (status, name) => {
    const body = { ok: false, code: 4, name, message: "What happened.\u001b[2J", hint: "What to do." };
    const url = await answering((_, response) => void response.writeHead(status).end(JSON.stringify(body)));
    const error = await errorOf(operatorOf(url).stop(true));
    expect(error).toMatchObject({ name, hint: "What to do." });
    expect(error.message).toMatch(/^What happened\.[^\p{C}]*$/u);
  });

  it.each([
    [200, "<html>"],
    [200, "{}"],
    [200, '{"stopping":"tomorrow"}'],
    [404, "<html>"],
    [502, ""],
    [404, '{"ok":false,"name":"toString","message":"m"}'],
  ])("is, with status %i and %j, that it is no coordinator's", async (status, body) => {
    const url = await answering((_, response) => void response.writeHead(status).end(body));
    const error = await errorOf(operatorOf(url).stop(false));
    expect(error).toMatchObject({ name: "coordinator-unreachable", exitCode: 4 });
    expect(error.message).toContain(String(status));
  });

  it("does not take the token along to another address", async () => {
    let asked = 0;
    const other = await answering((_, response) => {
      asked += 1;
      response.end("{}");
    });
    const url = await answering((_, response) => void response.writeHead(307, { location: other }).end());
    expect((await errorOf(operatorOf(url).stop(false))).name).toBe("coordinator-unreachable");
    expect(asked).toBe(0);
  });

  it("is not read on and on", async () => {
    const loop = JSON.stringify({ devices: [], next: "a" });
    const pages = await answering((_, response) => void response.end(loop));
    expect((await errorOf(operatorOf(pages).devices())).name).toBe("coordinator-unreachable");
    const endless = await answering((_, response) => {
      const more = () => {
        while (response.write(" ".repeat(65_536))) {}
      };
      response.on("drain", more);
      more();
    });
    expect((await errorOf(operatorOf(endless).tokens())).message).toContain("longer than any");
  });

  it("brings no control characters to the terminal", async () => {
    const device = { publicKey: "0".repeat(64), name: "d\u001b]0;x\u0007", token: "0".repeat(8) };
    const times = { enrolledAt: "2026-01-01T00:00:00.000Z", revokedAt: null };
    const page = JSON.stringify({ devices: [{ ...device, ...times }], next: null });
    const url = await answering((_, response) => void response.end(page));
    const [{ name }] = await operatorOf(url).devices();
    expect(name).toBe("d ]0;x");
  });
});

describe("no answer", () => {
  it("is that nothing listens there", async () => {
    const server = createTcpServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    const error = await errorOf(operatorOf(`http://127.0.0.1:${port}`).stop(false));
    expect(error).toMatchObject({
      name: "coordinator-unreachable",
      message: `Nothing listens at http://127.0.0.1:${port}.`,
    });
  });

  it.each(["headers", "body"])(
    "is not waited for longer than ten seconds, where the %s does not come",
    async (what) => {
      let expire: () => void = () => undefined;
      const url = await answering((_, response) => {
        if (what === "body") response.write('{"stopping":');
        setTimeout(() => expire(), 50);
      });
      let deadline = 0;
      const operator = operatorOf(url, (milliseconds, callback) => {
        deadline = milliseconds;
        expire = callback;
        return () => undefined;
      });
      const error = await errorOf(operator.stop(false));
      expect(error).toMatchObject({
        name: "coordinator-unreachable",
        message: expect.stringContaining("within 10 seconds"),
      });
      expect(deadline).toBe(10_000);
    },
  );

  it("leaves no timer behind", async () => {
    let timers = 0;
    const url = await answering((_, response) => void response.end('{"stopping":"now"}'));
    const operator = operatorOf(url, () => {
      timers += 1;
      return () => {
        timers -= 1;
      };
    });
    expect(await operator.stop(true)).toBe("now");
    expect(timers).toBe(0);
  });
});

describe("TLS", () => {
  function selfSigned() {
    const folder = temporaryFolder();
    const [cert, key] = [join(folder, "cert.pem"), join(folder, "key.pem")];
    const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "2"];
    execFileSync("openssl", ["req", "-x509", ...curve, ...subject, "-keyout", key, "-out", cert], { stdio: "ignore" });
    return { file: cert, cert: readFileSync(cert), key: readFileSync(key) };
  }

  it("is spoken with a certificate that the machine was told to trust, for the name that it is for", async () => {
    ensureBuilt();
    const tls = selfSigned();
    const coordinator = openCoordinator({ tls });
    onTestFinished(() => coordinator.close());
    const url = await coordinator.listen();
    const named = url.replace("127.0.0.1", "localhost");
    const stop = (address: string, env: Record<string, string>) =>
      ended(
        spawn(process.execPath, [BINARY, "stop", "--url", address], {
          env: { PATH: process.env.PATH ?? "", MURMUR_OPERATOR_TOKEN: coordinator.operatorToken, ...env },
        }),
      );
    const trusting = { NODE_EXTRA_CA_CERTS: tls.file };
    for (const refused of [await stop(named, {}), await stop(url, trusting)]) {
      expect(refused.exitCode).toBe(4);
      expect(refused.stderr).toContain("is not accepted");
      expect(refused.stderr).toContain("NODE_EXTRA_CA_CERTS");
      expect(refused.stderr).not.toContain(coordinator.operatorToken);
    }
    expect(coordinator.calls).toEqual([]);
    expect(await stop(named, trusting)).toMatchObject({ exitCode: 0, stderr: "" });
    expect(coordinator.calls).toEqual([["stop", "after-round"]]);
  });
});
