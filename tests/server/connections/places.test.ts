import { describe, expect, it } from "vitest";
import { simulatedPlaces } from "../../../server/connections/places.ts";

const DEALT = { seed: 1, dataset: "blobs", partition: "iid", devices: 3, dropout: 0 };

describe("the places of a simulated fleet", () => {
  it("are taken in order, each by one, and deal what belongs to them", () => {
    const places = simulatedPlaces(DEALT);
    expect(places.take(undefined)).toEqual({ device: "d-0000", simulation: { ...DEALT, index: 0 } });
    expect(places.take(undefined)?.device).toBe("d-0001");
    expect(places.take(undefined)).toEqual({ device: "d-0002", simulation: { ...DEALT, index: 2 } });
    expect(places.take(undefined)).toBeUndefined();
  });

  it("go to who had them last, if nobody has them now", () => {
    const places = simulatedPlaces(DEALT);
    expect(places.take("d-0002")?.device).toBe("d-0002");
    expect(places.take("d-0002")?.device).toBe("d-0000");
    expect(places.take("of another run")?.device).toBe("d-0001");
  });

  it("are free again when they are left, once", () => {
    const places = simulatedPlaces(DEALT);
    const [first] = [places.take(undefined), places.take(undefined), places.take(undefined)];
    places.leave(first!.device);
    places.leave(first!.device);
    expect(places.take("d-0001")?.device).toBe("d-0000");
    expect(places.take(undefined)).toBeUndefined();
  });
});
