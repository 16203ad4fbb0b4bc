/**
 * The length of the shortest linear feedback shift register that produces the bits: Berlekamp–Massey over GF(2)
 * (Massey 1969, algorithm 2). About n/2 for n random bits; at most the state's size for any generator that is linear
 * over GF(2), such as xorshift or the Mersenne Twister.
 */
export function linearComplexity(bits: Uint8Array): number {
  const connection = Uint8Array.of(1, ...new Uint8Array(bits.length));
  let previous = connection.slice();
  let length = 0;
  let since = 1;
  for (let n = 0; n < bits.length; n++) {
    let discrepancy = bits[n];
    for (let i = 1; i <= length; i++) discrepancy ^= connection[i] & bits[n - i];
    if (discrepancy === 0) {
      since++;
      continue;
    }
    const before = connection.slice();
    for (let i = 0; i + since < connection.length; i++) connection[i + since] ^= previous[i];
    if (2 * length <= n) {
      length = n + 1 - length;
      previous = before;
      since = 1;
    } else {
      since++;
    }
  }
  return length;
}
