import { defineConfig, type ViteUserConfig } from "vitest/config"

const config: ViteUserConfig = defineConfig({
  resolve: { conditions: ["bun"] },
  ssr: { resolve: { conditions: ["bun"] } },
  test: {
    include: ["test/**/*.test.ts"],
    // Forks do not start under Bun.
    pool: "threads",
    testTimeout: 120_000,
    hookTimeout: 120_000,
    reporters: ["default", ["json", { outputFile: ".results/vitest.json" }]]
  }
})

export default config
