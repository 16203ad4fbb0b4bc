import { describe, expect, it } from "vitest";
import { type ClientPhase, type ClientSecAgg, createClientSecAgg } from "../../client/secagg/session.ts";
import { createServerSecAgg, type ServerSecAgg } from "../../server/secagg/session.ts";
import { FRAME_TYPES, type FrameTypeName, frameType } from "../../shared/protocol/frame.ts";
import type { DeviceId } from "../../shared/protocol/ids.ts";
import { ABORT_CODES } from "../../shared/protocol/reasons.ts";
import { NOW_SECONDS } from "../secagg/session-harness.ts";
import { quickProvider } from "./fixture.ts";
import {
  agreement,
  clientOptions,
  DAMAGE,
  fill,
  flip,
  frameOf,
  honest,
  SUBJECT,
  TYPES,
  table,
} from "./matrix-frames.ts";

/**
 * Every phase of a device, and every stage of the coordinator, against every type of frame, and against damaged forms of
 * the frame that it awaits. The frames are those of one honest session on the complete graph, whose randomness is fixed,
 * so that device and coordinator can be brought to any point of it again and again.
 */

// ---- the device ----------------------------------------------------------------------------------------------------

const REQUESTS = ["roster", "sharesForward", "survivors", "acks", "done"] as const;
const PHASES = ["ready", "advertised", "shared", "masked", "confirmed", "unmasked", "done", "aborted"] as const;

function clientIn(phase: ClientPhase): ClientSecAgg {
  const client = createClientSecAgg(clientOptions(0));
  const steps = PHASES.indexOf(phase);
  if (phase === "aborted") client.abort("stopped");
  else if (steps > 0) client.start();
  if (phase !== "aborted")
    for (const request of REQUESTS.slice(0, Math.max(0, steps - 1))) client.receive(frameOf(request));
  expect(client.phase).toBe(phase);
  return client;
}

/** What the device does: the types it replies with, `(…)` when it stays in its phase; `!code` when it aborts. */
function reaction(client: ClientSecAgg, frame: Uint8Array): string {
  const before = client.phase;
  const reply = client.receive(frame);
  if (client.phase === "aborted" && before !== "aborted") {
    const code = client.outcome?.kind === "aborted" ? client.outcome.code : "no outcome";
    expect(reply).toHaveLength(1);
    expect(frameType(reply[0])).toBe(FRAME_TYPES.abort);
    expect(reply[0].at(-1)).toBe(ABORT_CODES[code as keyof typeof ABORT_CODES]);
    return `!${code}`;
  }
  const types = reply.map((sent) => TYPES.find((name) => FRAME_TYPES[name] === frameType(sent)));
  // Twice the same session: what the device says is what it said when it was recorded.
  for (const [i, type] of types.entries()) expect(reply[i]).toEqual(frameOf(type as FrameTypeName));
  if (client.phase !== before) return reply.length === 0 ? client.phase : types.join("+");
  return reply.length === 0 ? "-" : `(${types.join("+")})`;
}

describe("a device", () => {
  /**
   * `x`: aborts with unexpected-message. `masked`: answers, and goes on. `(masked)`: the same bytes again, and stays.
   * `-`: over; nothing is said.
   */
  const expected = table(`
                  ready  advertised  shared    masked    confirmed  unmasked  done  aborted
    configure     x      x           x         x         x          x         -     -
    model         x      x           x         x         x          x         -     -
    decline       x      x           x         x         x          x         -     -
    released      x      x           x         x         x          x         -     -
    plainUpdate   x      x           x         x         x          x         -     -
    accept        x      x           x         x         x          x         -     -
    trained       x      x           x         x         x          x         -     -
    begin         x      x           x         x         x          x         -     -
    advertise     x      x           x         x         x          x         -     -
    roster        x      shares      (shares)  x         x          x         -     -
    shares        x      x           x         x         x          x         -     -
    sharesForward x      x           masked    (masked)  x          x         -     -
    masked        x      x           x         x         x          x         -     -
    survivors     x      x           x         ack       (ack)      x         -     -
    ack           x      x           x         x         x          x         -     -
    acks          x      x           x         x         unmask     (unmask)  -     -
    unmask        x      x           x         x         x          x         -     -
    abort         x      x           x         x         x          x         -     -
    done          x      x           x         x         x          done      -     -
    challenge     x      x           x         x         x          x         -     -
    authenticate  x      x           x         x         x          x         -     -
    welcome       x      x           x         x         x          x         -     -
    refused       x      x           x         x         x          x         -     -
    checkIn       x      x           x         x         x          x         -     -
    pace          x      x           x         x         x          x         -     -
  `);

  it("answers the one frame it awaits, repeats its last answer, and aborts at every other", () => {
    expect([...expected.rows.keys()]).toEqual(TYPES);
    expect(expected.columns).toEqual(PHASES);
    const actual = fill(PHASES, TYPES, (type, phase) => {
      const is = reaction(clientIn(phase as ClientPhase), frameOf(type as FrameTypeName));
      return is === "!unexpected-message" ? "x" : is;
    });
    expect(actual).toEqual(expected.rows);
  });

  it("is over after an abort: the frame that it awaited no longer moves it", () => {
    for (const [i, request] of REQUESTS.entries()) {
      const client = clientIn(PHASES[i + 1]);
      client.receive(frameOf("begin"));
      expect(reaction(client, frameOf(request)), request).toBe("-");
      if (i > 0) expect(reaction(client, frameOf(REQUESTS[i - 1])), request).toBe("-");
    }
  });

  const AWAITED = new Map<string, FrameTypeName>(
    REQUESTS.map((request, i) => [request, PHASES[i + 1] as FrameTypeName]),
  );
  const SHORT: Record<string, string> = {
    "!malformed-message": "bad",
    "!context-mismatch": "context",
    "!session-mismatch": "session",
  };

  /** `bad`: aborts with malformed-message; `context`, `session`: with that -mismatch. */
  const damaged = table(`
                    roster          sharesForward     survivors         acks                   done
    empty           bad             bad               bad               bad                    bad
    one-byte        bad             bad               bad               bad                    bad
    half-header     bad             bad               bad               bad                    bad
    header-only     bad             bad               bad               bad                    bad
    last-byte-cut   bad             bad               bad               bad                    bad
    byte-appended   bad             bad               bad               bad                    bad
    body-empty      bad             bad               bad               bad                    bad
    body-shorter    bad             bad               bad               bad                    bad
    body-longer     bad             bad               bad               bad                    bad
    flip-magic      bad             bad               bad               bad                    bad
    flip-version    bad             bad               bad               bad                    bad
    flip-type       bad             bad               bad               bad                    bad
    flip-suite      bad             bad               bad               bad                    bad
    flip-flags      bad             bad               bad               bad                    bad
    flip-round      context         context           context           context                context
    flip-binding    context         session           session           session                session
    flip-sender     bad             bad               bad               bad                    bad
    flip-sequence   bad             bad               bad               bad                    bad
    flip-length     bad             bad               bad               bad                    bad
  `);

  it("aborts at every cut or flipped form of the frame that it awaits", () => {
    const actual = fill(REQUESTS, damaged.rows.keys(), (damage, request) => {
      const client = clientIn(AWAITED.get(request) as ClientPhase);
      const is = reaction(client, DAMAGE[damage](frameOf(request as FrameTypeName)));
      return SHORT[is] ?? is;
    });
    expect(damaged.columns).toEqual(REQUESTS);
    expect(actual).toEqual(damaged.rows);
  });

  it("aborts when the frame that it answered is repeated with one byte changed", () => {
    for (const [i, request] of REQUESTS.slice(0, -1).entries()) {
      for (const damage of ["flip-round", "flip-binding", "flip-sequence", "flip-body-last", "body-shorter"]) {
        const client = clientIn(PHASES[i + 2]);
        expect(reaction(client, DAMAGE[damage](frameOf(request))), `${request} ${damage}`).toBe("!changed-message");
      }
    }
  });

  /**
   * What each field is worth: the lowest bit of its first, its middle and its last byte flipped. The subject is the
   * second of the roster. `answers`: the device cannot see it, and must not need to: a box that does not open is a share
   * less, a shorter list of survivors is signed as such, a seed makes a session of its own, and DONE's hash is for
   * comparing.
   */
  const fields = table(`
    request        from  bytes  outcome
    roster         64    32     answers
    roster.count   96    4      !malformed-message
    other.length   100   4      !malformed-message
    other.idPk     104   32     !bad-signature
    other.cert     136   4      !malformed-message
    other.cPk      140   32     !bad-signature
    other.sPk      172   32     !bad-signature
    other.sig      204   64     !bad-signature
    own.length     268   4      !malformed-message
    own.idPk       272   32     !own-entry
    own.cert       304   4      !malformed-message
    own.cPk        308   32     !own-entry
    own.sPk        340   32     !own-entry
    own.sig        372   64     !own-entry
    sharesForward  64    1      !malformed-message
    box.first      65    80     answers
    box.last       305   80     answers
    survivors      64    1      answers
    acks.count     64    4      !malformed-message
    acks.index     68    2      !unknown-device
    acks.signature 70    64     !too-few-confirmations
    done.hash      64    32     done
    done.survivors 96    2      !changed-message
  `);
  const REQUEST_OF: Record<string, FrameTypeName> = { other: "roster", own: "roster", box: "sharesForward" };

  it("checks every field of every request that it can check", () => {
    for (const [field, [from, bytes, expectedOutcome]] of fields.rows) {
      const prefix = field.split(".")[0];
      const request = REQUEST_OF[prefix] ?? (prefix as FrameTypeName);
      for (const within of new Set([0, Number(bytes) >> 1, Number(bytes) - 1])) {
        const client = clientIn(AWAITED.get(request) as ClientPhase);
        const reply = client.receive(flip(frameOf(request), Number(from) + within));
        const { outcome } = client;
        const is = outcome?.kind === "aborted" ? `!${outcome.code}` : (outcome?.kind ?? "answers");
        expect(is, `${field}, byte ${within}`).toBe(expectedOutcome);
        expect(reply).toHaveLength(is === "done" ? 0 : 1);
      }
    }
  });
});

// ---- the coordinator -----------------------------------------------------------------------------------------------

const ANSWERS = ["advertise", "shares", "masked", "ack", "unmask"] as const;
const STAGES = ["keys", "shares", "mask", "confirm", "unmask", "done", "abandoned"] as const;
type StageName = (typeof STAGES)[number];
type Standing = "awaited" | "answered" | "dropped";

function answerOf(device: DeviceId, type: FrameTypeName): Uint8Array {
  const sent = honest.delivered.find((one) => one.device === device && frameType(one.frame) === FRAME_TYPES[type]);
  if (sent === undefined) throw new Error(`${device} sent no ${type}`);
  return sent.frame.slice();
}

/** A coordinator in a stage, in which everyone else has answered. */
function serverIn(stage: StageName, standing: Standing): ServerSecAgg {
  const invited = [...honest.devices.keys()];
  const server = createServerSecAgg({
    provider: quickProvider,
    agreement,
    nowSeconds: NOW_SECONDS,
    invited,
    quorum: 3,
  });
  const closed = stage === "abandoned" ? 0 : STAGES.indexOf(stage);
  for (const type of ANSWERS.slice(0, closed)) {
    for (const device of invited) expect(server.receive(device, answerOf(device, type)).dropped).toEqual([]);
    server.closeStage();
  }
  if (stage === "abandoned") server.closeStage();
  expect(server.stage).toBe(stage);
  if (closed < ANSWERS.length && stage !== "abandoned") {
    for (const device of invited) {
      if (device !== SUBJECT || standing === "answered") server.receive(device, answerOf(device, ANSWERS[closed]));
    }
  }
  if (standing === "dropped") server.leave(SUBJECT, "disconnected");
  return server;
}

/** `ok`: taken; `-`: discarded unread; else the reason for which the device is dropped. Nobody else is ever touched. */
function verdict(server: ServerSecAgg, frame: Uint8Array): string {
  const { stage } = server;
  const awaited = server.waitingFor.has(SUBJECT);
  const { send, dropped } = server.receive(SUBJECT, frame);
  expect(send).toEqual([]);
  expect(server.stage).toBe(stage);
  if (dropped.length > 0) {
    expect(dropped.map(({ device }) => device)).toEqual([SUBJECT]);
    expect(server.waitingFor.has(SUBJECT)).toBe(false);
    // It is out: the right answer, too, now comes too late.
    for (const type of ANSWERS) expect(server.receive(SUBJECT, answerOf(SUBJECT, type)).dropped).toEqual([]);
    expect(server.waitingFor.has(SUBJECT)).toBe(false);
    return dropped[0].reason;
  }
  if (awaited && !server.waitingFor.has(SUBJECT)) return "ok";
  expect(server.waitingFor.has(SUBJECT)).toBe(awaited);
  return "-";
}

describe("the coordinator", () => {
  const serverTable = (rows: ReadonlyMap<string, readonly string[]>, standing: Standing) =>
    fill(STAGES, rows.keys(), (type, stage) => {
      const is = verdict(serverIn(stage as StageName, standing), frameOf(type as FrameTypeName));
      return is === "malformed" ? "x" : is;
    });

  /** `x`: dropped as malformed. `ok`: taken. `-`: discarded unread. */
  const awaited = table(`
                  keys     shares   mask     confirm  unmask   done  abandoned
    configure     x        x        x        x        x        -     -
    model         x        x        x        x        x        -     -
    decline       x        x        x        x        x        -     -
    released      x        x        x        x        x        -     -
    plainUpdate   x        x        x        x        x        -     -
    accept        x        x        x        x        x        -     -
    trained       x        x        x        x        x        -     -
    begin         x        x        x        x        x        -     -
    advertise     ok       x        x        x        x        -     -
    roster        x        x        x        x        x        -     -
    shares        x        ok       x        x        x        -     -
    sharesForward x        x        x        x        x        -     -
    masked        x        x        ok       x        x        -     -
    survivors     x        x        x        x        x        -     -
    ack           x        x        x        ok       x        -     -
    acks          x        x        x        x        x        -     -
    unmask        x        x        x        x        ok       -     -
    abort         aborted  aborted  aborted  aborted  aborted  -     -
    done          x        x        x        x        x        -     -
    challenge     x        x        x        x        x        -     -
    authenticate  x        x        x        x        x        -     -
    welcome       x        x        x        x        x        -     -
    refused       x        x        x        x        x        -     -
    checkIn       x        x        x        x        x        -     -
    pace          x        x        x        x        x        -     -
  `);

  it("takes the answer that the stage awaits from a device, and drops the device for any other frame", () => {
    expect([...awaited.rows.keys()]).toEqual(TYPES);
    expect(awaited.columns).toEqual(STAGES);
    expect(serverTable(awaited.rows, "awaited")).toEqual(awaited.rows);
  });

  it("drops a device for a second answer as a duplicate, and for all else as before", () => {
    const expected = new Map(
      [...awaited.rows].map(([type, cells]) => [type, cells.map((cell) => (cell === "ok" ? "duplicate" : cell))]),
    );
    expect(serverTable(awaited.rows, "answered")).toEqual(expected);
  });

  it("discards everything from a device that is out", () => {
    const expected = new Map([...awaited.rows].map(([type, cells]) => [type, cells.map(() => "-")]));
    expect(serverTable(awaited.rows, "dropped")).toEqual(expected);
  });

  /** `bad`: dropped as malformed. An upload may be wrong, and so is the sum; a share may, until it is used. */
  const damaged = table(`
                    advertise      shares         masked    ack            unmask
    empty           bad            bad            bad       bad            bad
    one-byte        bad            bad            bad       bad            bad
    half-header     bad            bad            bad       bad            bad
    header-only     bad            bad            bad       bad            bad
    last-byte-cut   bad            bad            bad       bad            bad
    byte-appended   bad            bad            bad       bad            bad
    body-empty      bad            bad            bad       bad            bad
    body-shorter    bad            bad            bad       bad            bad
    body-longer     bad            bad            oversize  bad            bad
    flip-magic      bad            bad            bad       bad            bad
    flip-version    bad            bad            bad       bad            bad
    flip-type       bad            bad            bad       bad            bad
    flip-suite      bad            bad            bad       bad            bad
    flip-flags      bad            bad            bad       bad            bad
    flip-round      bad            bad            bad       bad            bad
    flip-binding    bad            bad            bad       bad            bad
    flip-sender     bad            bad            bad       bad            bad
    flip-sequence   bad            bad            bad       bad            bad
    flip-length     bad            bad            bad       bad            bad
    flip-body-last  bad-signature  bad-signature  ok        bad-signature  ok
  `);

  it("drops a device for every cut or flipped form of its answer", () => {
    const actual = fill(ANSWERS, damaged.rows.keys(), (damage, type) => {
      const stage = STAGES[ANSWERS.indexOf(type as (typeof ANSWERS)[number])];
      const is = verdict(serverIn(stage, "awaited"), DAMAGE[damage](frameOf(type as FrameTypeName)));
      return is === "malformed" ? "bad" : is;
    });
    expect(damaged.columns).toEqual(ANSWERS);
    expect(actual).toEqual(damaged.rows);
  });

  it("loses only the sender to a malformed answer: the stage closes with the others", () => {
    for (const [i, type] of ANSWERS.entries()) {
      const server = serverIn(STAGES[i], "awaited");
      server.receive(SUBJECT, DAMAGE["flip-binding"](frameOf(type)));
      expect(server.waitingFor.size).toBe(0);
      expect(server.abandoned).toBeUndefined();
      server.closeStage();
      expect(server.stage).toBe(STAGES[i + 1]);
    }
  });
});
