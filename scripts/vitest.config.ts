import { mergeConfig, type ViteUserConfig } from "vitest/config"
import shared from "../vitest.shared.ts"

const config: ViteUserConfig = mergeConfig(shared, { root: import.meta.dirname, test: { testTimeout: 120_000 } })

export default config
