import { connect } from "node:net";

export interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Parsed, where it is JSON. */
  readonly body: unknown;
  /** The server closed the connection. */
  readonly closed: boolean;
}

/** Sends the text as it is, and reads until the server closes, or has switched protocols. */
export function rawRequest(port: number, text: string): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(text));
    let received = "";
    const finish = (closed: boolean): void => {
      socket.destroy();
      const [head, body = ""] = received.split("\r\n\r\n");
      const [line, ...fields] = head.split("\r\n");
      const headers = Object.fromEntries(
        fields.map((field) => [field.slice(0, field.indexOf(":")).toLowerCase(), field.slice(field.indexOf(":") + 2)]),
      );
      resolve({
        status: Number(line.split(" ")[1]),
        headers,
        body: body.startsWith("{") ? JSON.parse(body) : body,
        closed,
      });
    };
    socket.setEncoding("latin1");
    socket.on("data", (chunk: string) => {
      received += chunk;
      if (received.startsWith("HTTP/1.1 101") && received.includes("\r\n\r\n")) finish(false);
    });
    socket.on("close", () => finish(true));
    socket.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "ECONNRESET" && error.code !== "EPIPE") reject(error);
    });
  });
}

/** The answer to an upgrade; what is given goes before what a WebSocket client would send. */
export function upgradeAnswer(port: number, path: string, given: Record<string, string> = {}): Promise<RawAnswer> {
  const headers = {
    Host: `127.0.0.1:${port}`,
    Connection: "Upgrade",
    Upgrade: "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    ...given,
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return rawRequest(port, `GET ${path} HTTP/1.1\r\n${lines.join("")}\r\n`);
}
