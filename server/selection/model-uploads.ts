import { toHex } from "../../shared/crypto/bytes.ts";

/**
 * Who has uploaded for the current model. At `active-server` a device does so once, so it is not asked again
 * (`secure-aggregation.md` section 2). The devices remember it themselves, durably; this only spares them the question, and
 * after a restart of the coordinator it is learnt anew from those that decline.
 */
export interface ModelUploads {
  /** Forgets what belongs to another model. */
  begin(modelHash: Uint8Array): void;
  add(idPk: Uint8Array): void;
  has(idPk: Uint8Array): boolean;
  readonly count: number;
}

export function createModelUploads(): ModelUploads {
  let model = "";
  const uploaded = new Set<string>();
  return {
    begin(modelHash) {
      const hash = toHex(modelHash);
      if (hash === model) return;
      model = hash;
      uploaded.clear();
    },
    add: (idPk) => void uploaded.add(toHex(idPk)),
    has: (idPk) => uploaded.has(toHex(idPk)),
    get count() {
      return uploaded.size;
    },
  };
}
