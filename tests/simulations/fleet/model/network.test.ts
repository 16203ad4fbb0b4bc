import { describe, expect, it } from "vitest";
import {
  ACCESS_NETWORKS,
  createNetworkModel,
  radioEnergy,
  transferTime,
} from "../../../../simulations/fleet/model/network.ts";

const { wifi, lte } = ACCESS_NETWORKS;
const CNN_BYTES = 6.65e6;
const TWO_NN_BYTES = 0.8e6;

describe("a transfer", () => {
  // WiFi at the geometric means of FLASH's trace, 5,172 and 3,103 kB/s; LTE at its medians; without the round trip.
  it.each([
    [CNN_BYTES, 5_172, 1.3],
    [CNN_BYTES, 3_103, 2.1],
    [CNN_BYTES, 13_000 / 8, 4.1],
    [CNN_BYTES, 6_000 / 8, 8.9],
    [TWO_NN_BYTES, 5_172, 0.15],
    [TWO_NN_BYTES, 3_103, 0.26],
    [TWO_NN_BYTES, 13_000 / 8, 0.5],
    [TWO_NN_BYTES, 6_000 / 8, 1.1],
  ])("of %f bytes at %f kB/s takes %f s", (bytes, kilobytesPerSecond, seconds) => {
    const time = transferTime(wifi, 8_000 * kilobytesPerSecond, bytes) - wifi.roundTrip;
    expect(Math.abs(time / 1000 / seconds - 1)).toBeLessThan(0.035);
  });

  it("takes a round trip however short it is", () => {
    expect(transferTime(wifi, 1e6, 0)).toBe(20);
    expect(transferTime(lte, 1e6, 0)).toBe(50);
  });

  it("takes the energy of the radio's base and of its rate", () => {
    // At 10 Mbit/s for one second: 132.9 + 137.0 · 10 mW down, 132.9 + 283.2 · 10 up; LTE 1,288 + 52 · 10.
    expect(radioEnergy(wifi, "down", 1.25e6, 1000)).toBeCloseTo(1.5029, 9);
    expect(radioEnergy(wifi, "up", 1.25e6, 1000)).toBeCloseTo(2.9649, 9);
    expect(radioEnergy(lte, "down", 1.25e6, 1000)).toBeCloseTo(1.808, 9);
  });
});

describe("a fleet's links", () => {
  const devices = Array.from({ length: 20_000 }, (_, device) => device);

  it.each([wifi, lte])("have the network's medians, deviations and correlation ($name)", (access) => {
    const network = createNetworkModel(1, access.name);
    const links = devices.map((device) => network.link(device));
    const down = links.map((link) => Math.log(link.down / access.down));
    const up = links.map((link) => Math.log(link.up / access.up));
    expect(Math.abs(mean(down))).toBeLessThan(0.02);
    expect(Math.abs(mean(up))).toBeLessThan(0.02);
    expect(Math.abs(deviation(down) - access.downLogDeviation)).toBeLessThan(0.01);
    expect(Math.abs(deviation(up) - access.upLogDeviation)).toBeLessThan(0.01);
    const correlation = mean(down.map((value, i) => value * up[i])) / (deviation(down) * deviation(up));
    expect(Math.abs(correlation - 0.7)).toBeLessThan(0.02);
  });

  it("vary from transfer to transfer, and never fall below a tenth", () => {
    const network = createNetworkModel(1, "wifi");
    const { down } = network.link(5);
    const factors = Array.from({ length: 20_000 }, (_, round) => {
      const time = network.transferTime(5, round, "down", CNN_BYTES) - wifi.roundTrip;
      return (8_000 * CNN_BYTES) / time / down;
    });
    expect(Math.abs(mean(factors) - 1)).toBeLessThan(0.015);
    // N(1, 0.4) with 1.2 % raised to 0.1.
    expect(Math.abs(deviation(factors) - 0.4)).toBeLessThan(0.015);
    expect(Math.min(...factors)).toBeCloseTo(0.1, 9);
  });

  it("vary by themselves in either direction", () => {
    const network = createNetworkModel(1, "lte");
    const { down, up } = network.link(5);
    const slower = Array.from({ length: 2_000 }, (_, round) => {
      const rateDown = (8_000 * CNN_BYTES) / (network.transferTime(5, round, "down", CNN_BYTES) - lte.roundTrip);
      const rateUp = (8_000 * CNN_BYTES) / (network.transferTime(5, round, "up", CNN_BYTES) - lte.roundTrip);
      return rateDown < down === rateUp < up ? 1 : 0;
    });
    expect(Math.abs(mean(slower) - 0.5)).toBeLessThan(0.05);
  });
});

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function deviation(values: readonly number[]): number {
  const centre = mean(values);
  return Math.sqrt(mean(values.map((value) => (value - centre) ** 2)));
}
