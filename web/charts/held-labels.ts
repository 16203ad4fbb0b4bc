/** Who holds how many examples with which label: what the plot and its text form draw. */
export interface HeldLabels {
  /** "mnist", and how it is dealt. */
  readonly title: string;
  readonly subtitle: string;
  readonly labels: readonly string[];
  readonly devices: readonly HeldByDevice[];
  /** Devices of the fleet, of which `devices` may be some. */
  readonly fleet: number;
  /** In which respect they differ more, and so in which order they are drawn where they are many. */
  readonly skew: "labels" | "sizes";
}

export interface HeldByDevice {
  /** Its place in the fleet, from 0. */
  readonly device: number;
  readonly examples: number;
  /** Examples by label. */
  readonly counts: readonly number[];
}

/**
 * At most `most` devices to draw. Up to `few` are in their own order; more are in one in which what is skewed shows as
 * steps, by size, or by the label that each has most of and then by its share; and of too many, some, evenly spaced in it.
 */
export function foldDevices(
  { devices, skew }: Pick<HeldLabels, "devices" | "skew">,
  most: number,
  few: number = most,
): readonly HeldByDevice[] {
  if (devices.length <= few) return devices;
  const ranked = devices.map((held) => {
    const main = held.counts.indexOf(held.counts.reduce((a, b) => Math.max(a, b), 0));
    return { held, main, share: held.counts[main] / held.examples };
  });
  ranked.sort(
    (a, b) =>
      (skew === "sizes" ? b.held.examples - a.held.examples : a.main - b.main || b.share - a.share) ||
      a.held.device - b.held.device,
  );
  const drawn = Math.min(most, devices.length);
  return Array.from({ length: drawn }, (_, i) => ranked[Math.floor(((i + 0.5) * devices.length) / drawn)].held);
}

/** Says which devices are drawn, and in which order. */
export function foldedDevicesText(
  { fleet, skew }: Pick<HeldLabels, "fleet" | "skew">,
  drawn: number,
  few: number,
): string {
  const count = (value: number) => value.toLocaleString("en-US");
  if (fleet <= few) return `${count(fleet)} devices, 0 to ${count(fleet - 1)}`;
  const order = skew === "sizes" ? "in order of size" : "in the order of the label they have most of";
  return `${drawn === fleet ? "" : `${count(drawn)} of `}${count(fleet)} devices, ${order}`;
}

/** At most `most` labels, by their place: the most frequent ones, in their order. */
export function foldLabels({ labels, devices }: Pick<HeldLabels, "labels" | "devices">, most: number): number[] {
  const places = labels.map((_, label) => label);
  if (labels.length <= most) return places;
  const held = places.map((label) => devices.reduce((sum, { counts }) => sum + counts[label], 0));
  return places
    .sort((a, b) => held[b] - held[a] || a - b)
    .slice(0, most)
    .sort((a, b) => a - b);
}
