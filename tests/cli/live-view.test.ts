import { describe, expect, it } from "vitest";
import { colours } from "../../cli/views/colours.ts";
import { visibleLength } from "../../cli/views/figures.ts";
import { liveView } from "../../cli/views/live-view.ts";
import { advance, emptyProgress } from "../../cli/views/run-progress.ts";
import { recordedEvents } from "./recorded-events.ts";

const ESCAPE = String.fromCharCode(0x1b);
const START = 1_800_000_000_000;

function view(
  columns: number,
  options: { coloured?: boolean; stop?: "none" | "after-round" | "now"; events?: number } = {},
) {
  const events = recordedEvents(START).slice(0, options.events);
  const progress = events.reduce(advance, emptyProgress("7f3a"));
  return liveView(progress, {
    now: START + 23_400,
    columns,
    paint: colours(options.coloured === true),
    stop: options.stop ?? "none",
  });
}

describe("live view", () => {
  it("shows a wide terminal everything at once", () => {
    expect(view(100).join("\n")).toMatchInlineSnapshot(`
      "murmur 7f3a · mnist, 2 shards a device · 2nn (199,210 parameters) · 100 devices                23.4s
      cohort 20 of 26 invited · seed 42
      masked, curious-server · complete graph k=25 t=17 · ring 22 bits

      rounds    █░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░ 1/60   now round 3
      stage     select configure ▸train 18/26 keys shares mask confirm unmask apply
      devices   ●●●●●●●●●●●●●●●●●●◐◐◐◐◐◐◐◐
                ◐ 8 training  ● 18 trained
      accuracy  45.1%  ▁  loss 1.932
      traffic   13.3 MB up, 20.8 MB down  last round 13.3 MB up, 20.8 MB down, 1.9s
      lost      12 deadline, 2 disconnected  1 abandoned  (last: below-quorum)
      Ctrl-C stops after the current round"
    `);
  });

  it("fits a narrow terminal", () => {
    expect(view(60).join("\n")).toMatchInlineSnapshot(`
      "murmur 7f3a · mnist, 2 shards a device                 23.4s
      2nn (199,210 parameters) · 100 devices
      cohort 20 of 26 invited · seed 42
      masked, curious-server · complete graph k=25 t=17
      ring 22 bits

      rounds    ░░░░░░░░░░░░░░░░░░░░ 1/60   now round 3
      stage     select configure ▸train 18/26 keys shares mask
                confirm unmask apply
      devices   ●●●●●●●●●●●●●●●●●●◐◐◐◐◐◐◐◐
                ◐ 8 training  ● 18 trained
      accuracy  45.1%  ▁  loss 1.932
      traffic   13.3 MB up, 20.8 MB down
      lost      12 deadline, 2 disconnected  1 abandoned
      Ctrl-C stops after the current round"
    `);
  });

  it("says for how many devices a round waits, and for how long", () => {
    const presence = (changes: object) =>
      liveView(
        advance(emptyProgress("7f3a"), {
          v: 1,
          seq: 1,
          t: START,
          run: "7f3a",
          type: "fleet.presence",
          p: { connected: 42, waiting: 40, expected: 100, need: 16, ...changes },
        }),
        { now: START, columns: 100, paint: colours(false), stop: "none" },
      ).join("\n");
    expect(presence({ until: START + 8_200 })).toContain(
      "devices   40 of 100 devices ready, 42 connected; the next round waits for 60 more, for 9 s at most",
    );
    expect(presence({ waiting: 3, connected: 3 })).toContain(
      "devices   3 of 100 devices ready, 3 connected; the next round needs 13 more",
    );
  });

  it("never writes past the edge, coloured or not, at any width and any moment", () => {
    const total = recordedEvents(START).length;
    for (const columns of [60, 61, 72, 80, 100, 200]) {
      for (const coloured of [false, true]) {
        for (let events = 0; events <= total; events += 7) {
          for (const line of view(columns, { coloured, events }))
            expect(visibleLength(line)).toBeLessThanOrEqual(columns);
        }
      }
    }
  });

  it("says the same with and without colours", () => {
    const plain = (line: string) => line.split(new RegExp(`${ESCAPE}\\[\\d+m`)).join("");
    expect(view(100, { coloured: true }).map(plain)).toEqual(view(100));
    expect(view(100).join("")).not.toContain(ESCAPE);
  });

  it("says what a stop signal does", () => {
    expect(view(100, { stop: "after-round" }).at(-1)).toContain("stopping after this round");
    expect(view(100, { stop: "now" }).at(-1)).toContain("no update of it is opened");
  });

  it("keeps its height from round to round, so that nothing jumps", () => {
    const total = recordedEvents(START).length;
    const heights = new Set<number>();
    for (let events = 5; events <= total; events++) heights.add(view(100, { events }).length);
    expect([...heights]).toHaveLength(1);
  });

  it("shows the fleet's own clock where there is one", () => {
    const hour = 3_600_000;
    const events = recordedEvents(START).map((event) =>
      event.type === "round.done"
        ? { ...event, p: { ...event.p, virtual: { at: 24 * hour, elapsed: 90_000 } } }
        : event,
    );
    const progress = events.reduce(advance, emptyProgress("7f3a"));
    const lines = liveView(progress, { now: START, columns: 100, paint: colours(false), stop: "none" });
    expect(lines).toContain("clock     Tue 00:01 for the fleet, 1min 30s since it began");
  });
});
