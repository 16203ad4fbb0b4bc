import { connect } from "node:net";
import type { Ed25519Key } from "../../../shared/crypto/provider.ts";
import {
  connectMessage,
  decodeChallenge,
  decodeRefused,
  encodeAuthentication,
  encodeCheckIn,
} from "../../../shared/protocol/connection-messages.ts";
import { decodeFrame, FRAME_TYPES, FRAME_VERSION } from "../../../shared/protocol/frame.ts";

/** A TCP socket that says what a device says until it is checked in, and from then on only counts. */
export interface RawConnection {
  close(): void;
}

export interface RawConnectionOptions {
  readonly port: number;
  /** Who it is to the coordinator; a bare server asks nobody. */
  readonly device: Ed25519Key | undefined;
  /** What is read goes here, of all connections of a process, and is gone with the next read. */
  readonly buffer: Uint8Array;
  /** Upgraded, and, before a coordinator, welcomed and checked in. */
  ready(): void;
  /** So many bytes have come since it is ready. */
  counted(bytes: number): void;
  /** It ended, and nobody had closed it. */
  failed(error: Error): void;
}

/** The RFC's example (6455, section 1.3): nothing between these processes would mistake an answer for another. */
const HANDSHAKE_KEY = "dGhlIHNhbXBsZSBub25jZQ==";
const HEAD_END = "\r\n\r\n";

export function openRawConnection(options: RawConnectionOptions): RawConnection {
  const { port, device, buffer } = options;
  const audience = `127.0.0.1:${port}`;
  let stage: "upgrading" | "talking" | "counting" = "upgrading";
  let pending = Buffer.alloc(0);
  let closed = false;
  const socket = connect({
    host: "127.0.0.1",
    port,
    noDelay: true,
    onread: {
      buffer,
      callback(length) {
        if (stage === "counting") options.counted(length);
        else converse(buffer.subarray(0, length));
        return true;
      },
    },
  });
  socket.on("connect", () => socket.write(upgradeRequest(audience)));
  socket.on("error", fail);
  socket.on("close", () => fail(new Error("the server closed the connection")));

  function fail(error: Error): void {
    if (closed) return;
    closed = true;
    socket.destroy();
    options.failed(error);
  }

  function converse(bytes: Uint8Array): void {
    pending = Buffer.concat([pending, bytes]);
    try {
      if (stage === "upgrading") readHead();
      for (let frame = takeFrame(); frame !== undefined; frame = takeFrame()) talk(frame);
    } catch (error) {
      fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  function readHead(): void {
    const end = pending.indexOf(HEAD_END);
    if (end === -1) return;
    const head = pending.subarray(0, end).toString("latin1");
    if (!head.startsWith("HTTP/1.1 101 ")) throw new Error(`no upgrade: ${pending.toString("utf8").slice(0, 500)}`);
    pending = pending.subarray(end + HEAD_END.length);
    stage = "talking";
    if (device === undefined) startCounting();
  }

  /** One whole message; those before the check-in are short. */
  function takeFrame(): Uint8Array | undefined {
    if (stage !== "talking" || pending.length < 4) return undefined;
    const short = pending[1];
    if (short > 126) throw new Error("a long message before the check-in");
    const start = short === 126 ? 4 : 2;
    const end = start + (short === 126 ? pending.readUInt16BE(2) : short);
    if (pending.length < end) return undefined;
    const message = new Uint8Array(pending.subarray(start, end));
    pending = pending.subarray(end);
    return message;
  }

  function talk(message: Uint8Array): void {
    if (device === undefined) return;
    const { header, body } = decodeFrame(message);
    const nonce = header.binding.slice();
    if (header.type === FRAME_TYPES.challenge) {
      const { population } = decodeChallenge(nonce, body);
      const certificate = new Uint8Array(0);
      const signature = device.sign(connectMessage(nonce, { population, audience, certificate }));
      const idPk = device.publicKey;
      socket.write(masked(encodeAuthentication(nonce, { idPk, certificate, audience, software: "bench", signature })));
    } else if (header.type === FRAME_TYPES.welcome) {
      socket.write(masked(encodeCheckIn(nonce)));
      startCounting();
    } else {
      const why = header.type === FRAME_TYPES.refused ? decodeRefused(body).message : `message type ${header.type}`;
      throw new Error(`not let in: ${why}`);
    }
  }

  function startCounting(): void {
    stage = "counting";
    options.ready();
    if (pending.length > 0) options.counted(pending.length);
    pending = Buffer.alloc(0);
  }

  return {
    close() {
      closed = true;
      socket.destroy();
    },
  };
}

function upgradeRequest(audience: string): string {
  return [
    "GET /v1/device HTTP/1.1",
    `Host: ${audience}`,
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    `Sec-WebSocket-Key: ${HANDSHAKE_KEY}`,
    `Sec-WebSocket-Protocol: murmuration.${FRAME_VERSION}`,
    HEAD_END.slice(2),
  ].join("\r\n");
}

/** A binary message under the mask 0, which leaves its bytes as they are. */
function masked(message: Uint8Array): Buffer {
  const length = message.length;
  if (length > 0xffff) throw new RangeError("a device that only checks in has nothing long to say");
  const head = length < 126 ? [0x82, 0x80 | length] : [0x82, 0x80 | 126, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([...head, 0, 0, 0, 0]), message]);
}
