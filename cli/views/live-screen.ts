import type { OutputStream } from "../edge.ts";

const ESCAPE = String.fromCharCode(0x1b);
const HIDE_CURSOR = `${ESCAPE}[?25l`;
const SHOW_CURSOR = `${ESCAPE}[?25h`;
const CLEAR_BELOW = `${ESCAPE}[J`;

/** A part of the terminal that is drawn over and over in place. */
export interface LiveScreen {
  draw(lines: readonly string[]): void;
  /** Takes the drawing away, so that something can be written in its place. */
  clear(): void;
  /** Takes the drawing away and gives the cursor back. */
  end(): void;
}

/** Draws with relative moves only, so it scrolls like any other output and leaves what stood above alone. */
export function createLiveScreen(stream: OutputStream): LiveScreen {
  let drawn = 0;
  let hidden = false;
  const home = () => (drawn === 0 ? "\r" : `${ESCAPE}[${drawn}A\r`);
  return {
    draw(lines) {
      // A line more than the terminal has would scroll, and the way back up would be lost.
      const visible = lines.slice(0, Math.max(1, stream.rows - 1));
      const start = hidden ? "" : HIDE_CURSOR;
      hidden = true;
      stream.write(`${start}${home()}${CLEAR_BELOW}${visible.join("\n")}\n`);
      drawn = visible.length;
    },
    clear() {
      if (drawn > 0) stream.write(`${home()}${CLEAR_BELOW}`);
      drawn = 0;
    },
    end() {
      this.clear();
      if (hidden) stream.write(SHOW_CURSOR);
      hidden = false;
    },
  };
}
