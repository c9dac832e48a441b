/** Checks that every block is of a type or an index that the store has, and of a sync that is there. */
import { Effect, Option, Stream } from "effect"
import { Hex } from "effect/encoding"
import type { EngineReadError, Range, Reader } from "../../../Engine.ts"
import { headerSizeBytes, indexesKeyspace, keyLayoutVersion, recordsKeyspace } from "../../../format/RecordLayout.ts"
import type { StoreSchema } from "../../../format/StoreSchema.ts"
import type { FindingKind } from "../../../RecordCheck.ts"
import * as CheckLog from "./CheckLog.ts"
import type { CheckedSync } from "./CheckRuns.ts"

export interface CheckHeadersOptions {
  readonly reader: Reader
  readonly log: CheckLog.CheckLog
  readonly schema: StoreSchema
  readonly syncs: ReadonlyMap<string, CheckedSync>
}

/** One step per header that is there. */
export const checkHeaders: (options: CheckHeadersOptions) => Effect.Effect<void, EngineReadError> = Effect.fnUntraced(
  function* ({ log, reader, schema, syncs }) {
    const types = schema.types
    const typeTags = new Set(types.map(({ tag }) => tag))
    const indexes = types.flatMap((type) => type.indexes)
    const indexTags = new Set(indexes.flatMap(({ ready, tag }) => (ready ? [tag] : [])))
    const passing = new Set([...schema.removing, ...indexes.flatMap(({ ready, tag }) => (ready ? [] : [tag]))])
    for (const [keyspace, tags] of [
      [recordsKeyspace, typeTags],
      [indexesKeyspace, indexTags]
    ] as const) {
      let row = yield* Stream.runHead(reader.scan(keyspace, { limit: 1 }))
      while (Option.isSome(row)) {
        const { key } = row.value
        const found = (kind: FindingKind, detail: string): void => CheckLog.add(log, { kind, keyspace, key, detail })
        if (key.length < headerSizeBytes) found("blockDamaged", `its key has ${key.length} bytes`)
        else if (key[0] !== keyLayoutVersion) found("tagUnknown", `it is of key layout ${key[0]}`)
        else if (keyspace === indexesKeyspace && passing.has(key[1]!)) {
          // On their way in or out: they mean nothing.
        } else if (!tags.has(key[1]!)) found("tagUnknown", `the store has no tag ${key[1]}`)
        else if (!syncs.has(Hex.encode(key.subarray(2, headerSizeBytes)))) found("syncUnknown", "its sync is not there")
        const next = behind(key)
        row = next === undefined ? Option.none() : yield* Stream.runHead(reader.scan(keyspace, { ...next, limit: 1 }))
      }
    }
  }
)

/** Where the next header is to be looked for; undefined when none can follow. */
const behind = (key: Uint8Array): Range | undefined => {
  let length = headerSizeBytes
  if (key.length < length) return { gt: key }
  while (length > 0 && key[length - 1] === 0xff) length--
  if (length === 0) return undefined
  const end = key.slice(0, length)
  end[length - 1]!++
  return { gte: end }
}
