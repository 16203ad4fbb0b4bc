/**
 * Events ordered by (time, sequence): of two at one time, the one that was scheduled first. A 4-ary heap in three typed
 * arrays, 20 bytes an event, no object per event; it grows by doubling.
 */
export interface EventQueue {
  readonly size: number;
  /** Milliseconds of the earliest event; ∞ when there is none. */
  readonly nextTime: number;
  /** What the earliest event carries; 0 when there is none. */
  readonly nextPayload: number;
  /** `payload` is a whole number, 0 … 2^32 − 1: a device, or a device and a kind packed by the caller. */
  push(time: number, payload: number): void;
  /** Removes the earliest event, which `nextTime` and `nextPayload` told of. Nothing happens on an empty queue. */
  drop(): void;
  /** Removes the earliest event and schedules another: one pass through the heap instead of two. */
  replace(time: number, payload: number): void;
}

/** Columns of the heap: the children of place p are 4p + 1 … 4p + 4. */
interface Heap {
  times: Float64Array;
  /** Whole numbers: 2^53 events are more than a process will see. */
  sequences: Float64Array;
  payloads: Uint32Array;
}

export function createEventQueue(capacity = 1024): EventQueue {
  let heap = allocate(Math.max(1, capacity));
  let size = 0;
  let sequence = 0;

  function grow(): void {
    const larger = allocate(2 * heap.times.length);
    larger.times.set(heap.times);
    larger.sequences.set(heap.sequences);
    larger.payloads.set(heap.payloads);
    heap = larger;
  }

  return {
    get size() {
      return size;
    },
    get nextTime() {
      return size === 0 ? Number.POSITIVE_INFINITY : heap.times[0];
    },
    get nextPayload() {
      return size === 0 ? 0 : heap.payloads[0];
    },
    push(time, payload) {
      requireTime(time);
      if (size === heap.times.length) grow();
      siftUp(heap.times, heap.sequences, heap.payloads, size++, time, sequence++, payload);
    },
    drop() {
      if (size === 0) return;
      size--;
      const { times, sequences, payloads } = heap;
      siftDown(times, sequences, payloads, size, times[size], sequences[size], payloads[size]);
    },
    replace(time, payload) {
      requireTime(time);
      if (size === 0) throw new Error("an empty queue has no event to replace");
      siftDown(heap.times, heap.sequences, heap.payloads, size, time, sequence++, payload);
    },
  };
}

/** NaN is neither before nor after any time, so that it would disorder the heap. */
function requireTime(time: number): void {
  if (Number.isNaN(time)) throw new RangeError("the time of an event is not a number");
}

function allocate(capacity: number): Heap {
  return {
    times: new Float64Array(capacity),
    sequences: new Float64Array(capacity),
    payloads: new Uint32Array(capacity),
  };
}

/** Puts an event where a place is free at `place`, at the end of the heap, or above. */
function siftUp(
  times: Float64Array,
  sequences: Float64Array,
  payloads: Uint32Array,
  free: number,
  time: number,
  sequence: number,
  payload: number,
): void {
  let place = free;
  while (place > 0) {
    const parent = (place - 1) >> 2;
    // Its sequence is the latest: at an equal time it stays below.
    if (times[parent] <= time) break;
    times[place] = times[parent];
    sequences[place] = sequences[parent];
    payloads[place] = payloads[parent];
    place = parent;
  }
  times[place] = time;
  sequences[place] = sequence;
  payloads[place] = payload;
}

/** Puts an event where the root is free, in a heap of `size` events, or below. */
function siftDown(
  times: Float64Array,
  sequences: Float64Array,
  payloads: Uint32Array,
  size: number,
  time: number,
  sequence: number,
  payload: number,
): void {
  let place = 0;
  for (;;) {
    const first = 4 * place + 1;
    if (first >= size) break;
    const end = Math.min(first + 4, size);
    let least = first;
    let leastTime = times[first];
    for (let child = first + 1; child < end; child++) {
      const childTime = times[child];
      if (childTime < leastTime || (childTime === leastTime && sequences[child] < sequences[least])) {
        least = child;
        leastTime = childTime;
      }
    }
    if (leastTime > time || (leastTime === time && sequences[least] > sequence)) break;
    times[place] = leastTime;
    sequences[place] = sequences[least];
    payloads[place] = payloads[least];
    place = least;
  }
  times[place] = time;
  sequences[place] = sequence;
  payloads[place] = payload;
}
