/** Colour by meaning. One colour has one meaning wherever the project draws: devices blue, learnt green, masks grey. */
export interface Colours {
  readonly enabled: boolean;
  bold(text: string): string;
  dim(text: string): string;
  device(text: string): string;
  learnt(text: string): string;
  mask(text: string): string;
  warning(text: string): string;
  error(text: string): string;
}

const CODES = {
  bold: [1, 22],
  dim: [2, 22],
  device: [34, 39],
  learnt: [32, 39],
  mask: [90, 39],
  warning: [33, 39],
  error: [31, 39],
} as const;

/** Paints with the terminal's sixteen colours, which its owner has chosen to be readable; or, not enabled, with nothing. */
export function colours(enabled: boolean): Colours {
  const paint = ([on, off]: readonly [number, number]) =>
    enabled ? (text: string) => `\u001b[${on}m${text}\u001b[${off}m` : (text: string) => text;
  return {
    enabled,
    bold: paint(CODES.bold),
    dim: paint(CODES.dim),
    device: paint(CODES.device),
    learnt: paint(CODES.learnt),
    mask: paint(CODES.mask),
    warning: paint(CODES.warning),
    error: paint(CODES.error),
  };
}
