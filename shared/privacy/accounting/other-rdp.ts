/** ρ-zCDP is ε(α) = ρ α at every order (Bun and Steinke 2016, arXiv 1605.02065, Definition 1.1). */
export function zcdpRdp(rho: number): (order: number) => number {
  return (order) => rho * order;
}

/** Laplace noise of scale b over an L1 sensitivity of 1 (Mironov 2017, arXiv 1702.07476, Proposition 6). */
export function laplaceRdp(scale: number): (order: number) => number {
  return (order) => {
    const near = Math.log(order / (2 * order - 1)) + (order - 1) / scale;
    const far = Math.log((order - 1) / (2 * order - 1)) - order / scale;
    return (near + Math.log1p(Math.exp(far - near))) / (order - 1);
  };
}

/**
 * Randomised response among `values` answers, a uniform one with probability `noise`, replacing one (Mironov 2017,
 * Proposition 5, for more than two answers).
 */
export function randomisedResponseRdp(noise: number, values: number): (order: number) => number {
  const other = noise / values;
  const own = 1 - noise + other;
  return (order) => {
    const up = order * Math.log(own) + (1 - order) * Math.log(other);
    const down = order * Math.log(other) + (1 - order) * Math.log(own);
    const rest = (values - 2) * other;
    const most = Math.max(up, down);
    return (most + Math.log(Math.exp(up - most) + Math.exp(down - most) + rest * Math.exp(-most))) / (order - 1);
  };
}
