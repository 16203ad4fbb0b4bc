import { defineConfig } from "vitest/config";

export default defineConfig({
  // The package's own `#imports` resolve to TypeScript sources under this condition (package.json).
  resolve: { conditions: ["source", "node"] },
  ssr: { resolve: { conditions: ["source", "node"] } },
  test: {
    include: ["tests/**/*.test.{ts,tsx}"],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: "forks",
    maxWorkers: 2,
  },
});
