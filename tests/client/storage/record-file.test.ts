import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, it, onTestFinished, vi } from "vitest";
import { openRecordFile, type RecordFile } from "../../../client/storage/record-file.ts";

/** What the disk does next: `room` bytes more, and whether it can sync and cut a file. */
const disk = vi.hoisted(() => ({ room: Number.POSITIVE_INFINITY, syncs: true, cuts: true }));
const failure = vi.hoisted(() => (code: string) => Object.assign(new Error(code), { code }));

vi.mock("node:fs", async (original) => {
  const fs = await original<typeof import("node:fs")>();
  return {
    ...fs,
    writeSync(file: number, bytes: Uint8Array, offset: number) {
      if (disk.room <= 0) throw failure("ENOSPC");
      // Never more than 7 bytes at once: a write may be short.
      const length = Math.min(bytes.length - offset, disk.room, 7);
      disk.room -= length;
      return fs.writeSync(file, bytes, offset, length);
    },
    fdatasyncSync(file: number) {
      if (!disk.syncs) throw failure("EIO");
      fs.fdatasyncSync(file);
    },
    ftruncateSync(file: number, length: number) {
      if (!disk.cuts) throw failure("EIO");
      fs.ftruncateSync(file, length);
    },
  };
});

afterEach(() => void Object.assign(disk, { room: Number.POSITIVE_INFINITY, syncs: true, cuts: true }));

const FORMAT = { parse: (line: string) => Number(line), damaged: () => new Error("damaged") };

function temporaryFile(): { readonly path: string; readonly file: RecordFile<number> } {
  const folder = mkdtempSync(join(tmpdir(), "murmur-records-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "records");
  return { path, file: openRecordFile(path, FORMAT) };
}

it("appends all lines of a call, and finds them again in order", () => {
  const { path, file } = temporaryFile();
  file.append(["1", "222222222222222"]);
  file.append([]);
  file.append(["3"]);
  file.close();
  expect(readFileSync(path, "utf8")).toBe("1\n222222222222222\n3\n");
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(openRecordFile(path, FORMAT).records).toEqual([1, 222222222222222, 3]);
});

it.each([0, 1, 9])(
  "a disk that is full after %d bytes keeps no piece of a record, and goes on once it has space",
  (room) => {
    const { path, file } = temporaryFile();
    file.append(["1"]);
    disk.room = room;
    expect(() => file.append(["222222222"])).toThrow(expect.objectContaining({ code: "ENOSPC" }));
    expect(readFileSync(path, "utf8")).toBe("1\n");
    disk.room = Number.POSITIVE_INFINITY;
    file.append(["3"]);
    expect(readFileSync(path, "utf8")).toBe("1\n3\n");
  },
);

it("builds nothing on what it could neither write nor take back, nor on what was not synced", () => {
  const torn = temporaryFile();
  Object.assign(disk, { room: 3, cuts: false });
  expect(() => torn.file.append(["222222222"])).toThrow();
  Object.assign(disk, { room: Number.POSITIVE_INFINITY, cuts: true });
  expect(() => torn.file.append(["3"])).toThrow();
  expect(openRecordFile(torn.path, FORMAT).records).toEqual([]);

  const unsynced = temporaryFile();
  disk.syncs = false;
  expect(() => unsynced.file.append(["1"])).toThrow(expect.objectContaining({ code: "EIO" }));
  disk.syncs = true;
  expect(() => unsynced.file.append(["2"])).toThrow(expect.objectContaining({ code: "EIO" }));
});
