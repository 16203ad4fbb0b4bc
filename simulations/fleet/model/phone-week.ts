import { type DrawKey, drawKey, drawUniforms, exponentialAt, lognormalAt, normalAt } from "./draws.ts";
import type { Eligibility } from "./eligibility.ts";

/**
 * A generator of phones that are idle, charging and on an unmetered network, calibrated to what Bonawitz et al. 2019
 * (arXiv 1902.01046) publish: participation of a US population swings fourfold between day and night, and 6 to 10 % of
 * devices are lost in a round of two to three minutes. All lengths are milliseconds.
 *
 *     charges of a person's day       |-day-|    |day|           |--------night--------|
 *     of those on WiFi                |-day-|                    |--------night--------|
 *     idle, and so eligible           |=| |=|                    |=====||====| |=======|
 */
export const PHONE_HABITS = {
  /** Share of devices in a zone and its clock's lead over the Eastern one. */
  zones: [
    { share: 0.48, lead: 0 },
    { share: 0.29, lead: -3_600_000 },
    { share: 0.07, lead: -7_200_000 },
    { share: 0.16, lead: -10_800_000 },
  ],
  /** Never leave the charger: a night charge from bedtime to bedtime. */
  alwaysCharging: 0.09,
  withoutHomeWifi: 0.08,
  /** Chance of WiFi without WiFi at home, over that with it. */
  elsewhere: 0.3,
  night: {
    chance: 0.8,
    /** Local time of day, and its standard deviation between people and between a person's nights. */
    start: 82_800_000,
    betweenPeople: 5_400_000,
    betweenNights: 2_520_000,
    medianLength: 23_400_000,
    logDeviation: 0.3,
    wifi: 0.9,
    /** Means of the exponential stretches in which nobody, and somebody, uses the phone. */
    idle: 5_400_000,
    busy: 600_000,
  },
  day: {
    /** Poisson, between these local times of day. */
    charges: 1.8,
    from: 28_800_000,
    to: 79_200_000,
    medianLength: 3_600_000,
    logDeviation: 0.8,
    wifi: 0.6,
    idle: 1_200_000,
    busy: 720_000,
  },
} as const;

const DAY = 86_400_000;
/** Normal draws are cut here, so that a night charge never begins before 16:24 or after 05:36. */
const CUT = 3;
/** A night charge is over by 16:00, before the next can begin; a day charge lasts 10 hours at most. */
const LATEST_NIGHT_END = 1.5 * DAY + 4 * 3_600_000;
const LONGEST_DAY_CHARGE = 36_000_000;
/** The chance of more charges in a day is 10^-9. */
const MOST_DAY_CHARGES = 14;
const YEAR = 366 * DAY;

/** Charges are drawn by (day, slot): two slots of two uniform numbers for the night charge and for each day charge. */
const SLOTS = 32;
/** Idle and busy stretches are drawn by (day, charge, pair). */
const CHARGES = 16;
const NIGHT = 0;
const PAIRS = 128;

interface Keys {
  readonly person: DrawKey;
  readonly charge: DrawKey;
  readonly idle: DrawKey;
}

/** What does not change from day to day. */
interface Person {
  readonly lead: number;
  readonly alwaysCharging: boolean;
  readonly homeWifi: boolean;
  /** Local time of day at which night charges begin, on average. */
  readonly bedtime: number;
}

/** The charges of one day of one person, in order, disjoint; columns of typed arrays that are used again and again. */
interface Charges {
  count: number;
  readonly start: Float64Array;
  readonly end: Float64Array;
  /** Which draw it is: NIGHT for the night charge. */
  readonly draw: Uint8Array;
  readonly wifi: Uint8Array;
  /** Whether it begins with somebody using the phone. */
  readonly inUse: Uint8Array;
}

/** The eligibility of a fleet of phones: nothing is stored, each answer is drawn again. */
export function phoneEligibility(seed: number | string): Eligibility {
  const keys: Keys = {
    person: drawKey(seed, "person"),
    charge: drawKey(seed, "charge"),
    idle: drawKey(seed, "idle"),
  };
  const charges: Charges = {
    count: 0,
    start: new Float64Array(CHARGES),
    end: new Float64Array(CHARGES),
    draw: new Uint8Array(CHARGES),
    wifi: new Uint8Array(CHARGES),
    inUse: new Uint8Array(CHARGES),
  };
  const found = new Float64Array(INTERVAL);

  return {
    next(device, from) {
      if (fillIntervals(keys, charges, device, from, from + YEAR, INTERVAL, found) === 0) return undefined;
      return { start: found[0], end: found[1], pluggedInAt: found[2] };
    },
    within: (device, from, to, into) => fillIntervals(keys, charges, device, from, to, 2, into),
  };
}

/** Start, end, beginning of the charge. */
const INTERVAL = 3;

/** Overwritten by each draw: read before another is made. */
const uniforms = new Float64Array(2);

/** Writes the eligible intervals that overlap [from, to) into `into`, `width` columns of each, until it is full. */
function fillIntervals(
  keys: Keys,
  charges: Charges,
  device: number,
  from: number,
  to: number,
  width: number,
  into: Float64Array,
): number {
  const person = drawPerson(keys.person, device);
  const { lead, alwaysCharging, bedtime } = person;
  const room = Math.floor(into.length / width);
  // The last charge of the day before yesterday is over by yesterday afternoon.
  let day = alwaysCharging ? Math.floor((from + lead - bedtime) / DAY) : Math.floor((from + lead) / DAY) - 1;
  const dayBegins = alwaysCharging ? bedtime : PHONE_HABITS.day.from;
  let count = 0;
  for (; day * DAY + dayBegins - lead < to; day++) {
    drawCharges(keys.charge, device, person, day, charges);
    for (let charge = 0; charge < charges.count; charge++) {
      const pluggedInAt = charges.start[charge] - lead;
      const unplugged = Math.min(to, charges.end[charge] - lead);
      if (unplugged <= from || charges.wifi[charge] === 0) continue;
      const { idle, busy } = charges.draw[charge] === NIGHT ? PHONE_HABITS.night : PHONE_HABITS.day;
      const first = (day * CHARGES + charges.draw[charge]) * PAIRS;
      let start = pluggedInAt;
      if (charges.inUse[charge] === 1) {
        drawUniforms(keys.idle, device, first + PAIRS - 1, uniforms);
        start += exponentialAt(uniforms[1], busy);
      }
      for (let pair = 0; start < unplugged; pair++) {
        drawUniforms(keys.idle, device, first + pair, uniforms);
        const end = Math.min(charges.end[charge] - lead, start + exponentialAt(uniforms[0], idle));
        if (end > from) {
          if (count === room) return count;
          into[count * width] = start;
          into[count * width + 1] = end;
          if (width === INTERVAL) into[count * width + 2] = pluggedInAt;
          count++;
        }
        start = end + exponentialAt(uniforms[1], busy);
      }
    }
  }
  return count;
}

function drawPerson(key: DrawKey, device: number): Person {
  drawUniforms(key, device, 0, uniforms);
  const alwaysCharging = uniforms[1] < PHONE_HABITS.alwaysCharging;
  let zone = 0;
  let below: number = PHONE_HABITS.zones[0].share;
  while (uniforms[0] >= below && zone < PHONE_HABITS.zones.length - 1) below += PHONE_HABITS.zones[++zone].share;
  drawUniforms(key, device, 1, uniforms);
  return {
    lead: PHONE_HABITS.zones[zone].lead,
    alwaysCharging,
    homeWifi: uniforms[0] >= PHONE_HABITS.withoutHomeWifi,
    bedtime: normalAt(uniforms[1], PHONE_HABITS.night.start, PHONE_HABITS.night.betweenPeople, CUT),
  };
}

/**
 * The charges that begin on a person's day, local time since midnight of day 0. One that would begin while another runs
 * begins when that ends, and then, as at bedtime with a phone that never leaves the charger, somebody has the phone in
 * hand: so a stretch in which it is idle always lies in one charge.
 */
function drawCharges(key: DrawKey, device: number, person: Person, day: number, charges: Charges): void {
  charges.count = 0;
  const midnight = day * DAY;
  if (person.alwaysCharging) {
    const start = midnight + person.bedtime;
    drawUniforms(key, device, day * SLOTS + 1, uniforms);
    insertCharge(charges, start, start + DAY, NIGHT, uniforms[1] < chanceOfWifi(person, PHONE_HABITS.night.wifi));
    charges.inUse[0] = 1;
    return;
  }
  drawDayCharges(key, device, person, day, charges);
  const lastNightEnd = drawNight(key, device, person, day - 1) ? night[1] : Number.NEGATIVE_INFINITY;
  if (drawNight(key, device, person, day)) insertCharge(charges, night[0], night[1], NIGHT, night[2] === 1);
  makeDisjoint(charges, lastNightEnd);
}

function drawDayCharges(key: DrawKey, device: number, person: Person, day: number, charges: Charges): void {
  const { charges: mean, from, to, medianLength, logDeviation } = PHONE_HABITS.day;
  const wifi = chanceOfWifi(person, PHONE_HABITS.day.wifi);
  let begun = from;
  for (let draw = 1; draw <= MOST_DAY_CHARGES; draw++) {
    const slot = day * SLOTS + 2 * draw;
    drawUniforms(key, device, slot, uniforms);
    begun += exponentialAt(uniforms[0], (to - from) / mean);
    if (begun >= to) return;
    const length = Math.min(LONGEST_DAY_CHARGE, lognormalAt(uniforms[1], medianLength, logDeviation));
    drawUniforms(key, device, slot + 1, uniforms);
    insertCharge(charges, day * DAY + begun, day * DAY + begun + length, draw, uniforms[0] < wifi);
  }
}

/** Start, end and WiFi of the night charge that was drawn last. */
const night = new Float64Array(3);

/** Draws the charge of the night that begins in the evening of a day into `night`; false when there is none. */
function drawNight(key: DrawKey, device: number, person: Person, day: number): boolean {
  const { chance, betweenNights, medianLength, logDeviation } = PHONE_HABITS.night;
  drawUniforms(key, device, day * SLOTS, uniforms);
  if (uniforms[0] >= chance) return false;
  night[0] = day * DAY + normalAt(uniforms[1], person.bedtime, betweenNights, CUT);
  drawUniforms(key, device, day * SLOTS + 1, uniforms);
  night[1] = Math.min(day * DAY + LATEST_NIGHT_END, night[0] + lognormalAt(uniforms[0], medianLength, logDeviation));
  night[2] = uniforms[1] < chanceOfWifi(person, PHONE_HABITS.night.wifi) ? 1 : 0;
  return true;
}

function chanceOfWifi({ homeWifi }: Person, chance: number): number {
  return homeWifi ? chance : chance * PHONE_HABITS.elsewhere;
}

/** Keeps the charges in the order in which they begin. */
function insertCharge(charges: Charges, start: number, end: number, draw: number, wifi: boolean): void {
  let place = charges.count++;
  for (; place > 0 && charges.start[place - 1] > start; place--) moveCharge(charges, place - 1, place);
  charges.start[place] = start;
  charges.end[place] = end;
  charges.draw[place] = draw;
  charges.wifi[place] = wifi ? 1 : 0;
  charges.inUse[place] = 0;
}

function makeDisjoint(charges: Charges, lastNightEnd: number): void {
  let busyUntil = lastNightEnd;
  let kept = 0;
  for (let charge = 0; charge < charges.count; charge++) {
    if (charges.end[charge] <= busyUntil) continue;
    moveCharge(charges, charge, kept);
    if (charges.start[kept] < busyUntil) {
      charges.start[kept] = busyUntil;
      charges.inUse[kept] = 1;
    }
    busyUntil = charges.end[kept];
    kept++;
  }
  charges.count = kept;
}

function moveCharge(charges: Charges, from: number, to: number): void {
  charges.start[to] = charges.start[from];
  charges.end[to] = charges.end[from];
  charges.draw[to] = charges.draw[from];
  charges.wifi[to] = charges.wifi[from];
  charges.inUse[to] = charges.inUse[from];
}
