/**
 * `icecore prune`: what retention removes, told or done.
 */
import { Effect, Layer, Option } from "effect"
import { Command, Flag } from "effect/cli"
import type { Config } from "../../config/Config.ts"
import type { PrunePlan } from "../../PrunePlan.ts"
import { Store, StoreNotFound } from "../../Store.ts"
import type { CliCommand } from "../CliServices.ts"
import { jsonFlag } from "../CommonFlags.ts"
import { loggerLayer, pinsOf, portsLayer, storeLayer } from "../Composition.ts"
import { configFlags, loadConfig } from "../ConfigFlags.ts"
import * as Output from "../Output.ts"

const dryRunFlag = Flag.Boolean("dry-run").pipe(
  Flag.withDescription("Remove nothing, and say what would go and why"),
  Flag.withDefault(false)
)

export const pruneCommand: CliCommand<"prune"> = Command.make(
  "prune",
  { ...configFlags, "dry-run": dryRunFlag, json: jsonFlag },
  Effect.fnUntraced(function* (input) {
    const { config } = yield* loadConfig(input)
    const isDryRun = input["dry-run"]
    if (Option.isNone(yield* Effect.provide(pinsOf(config), portsLayer(config))))
      return yield* new StoreNotFound({ path: config.storage.dataDir })
    // Nobody else reads the store now, so what is demoted need not wait.
    const ungraced = { ...config, retention: { ...config.retention, grace: 0 } }
    const services = Layer.provideMerge(storeLayer(ungraced, isDryRun ? "readOnly" : "readWrite"), loggerLayer(config))
    yield* prune(config, isDryRun, input.json).pipe(Effect.provide(services))
  })
).pipe(
  Command.withDescription(
    "Remove what retention does not keep; the daemon, which does it by itself, must not be running"
  ),
  Command.withExamples([
    {
      command: "icecore prune --dry-run --retention.chunks=100",
      description: "Say what keeping the last hundred chunks would remove"
    }
  ])
)

const prune = Effect.fnUntraced(function* (config: Config, isDryRun: boolean, json: boolean) {
  const store = yield* Store
  const plan = yield* store.prunePlan
  if (!isDryRun) yield* store.settled
  if (json) return yield* Output.writeJson({ ...plan, isDryRun })
  if (isDryRun) for (const path of plan.paths) yield* Output.writeLine(path)
  yield* Output.writeLine(summary(config, plan, isDryRun))
})

const summary = ({ retention }: Config, plan: PrunePlan, isDryRun: boolean): string => {
  const { artifactCount, hotCount, chunkCount, sizeBytes, nextFloor, floorChunk } = plan
  const kept = retention.chunks === 0 ? "" : `, retention.chunks = ${retention.chunks}`
  const why = `entry ${nextFloor} is the first to keep (chunk ${floorChunk}${kept})`
  if (artifactCount + hotCount === 0) return `Nothing to remove: ${why}`
  const what = `${Output.formatCount(artifactCount)} artifacts and ${Output.formatCount(hotCount)} hot databases`
  const size = `${Output.formatBytes(sizeBytes)}, ${Output.formatCount(chunkCount)} chunks of entries`
  return `${isDryRun ? "Would remove" : "Removed"} ${what} (${size}); ${why}`
}
