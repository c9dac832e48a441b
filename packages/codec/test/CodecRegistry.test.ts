import { assert, describe, it } from "@effect/vitest"
import { Effect, Result, Schema } from "effect"
import { CodecRegistry, RecordShape } from "../src/index.ts"

const shape = Result.getOrThrow(RecordShape.fromSchema(Schema.Struct({ id: Schema.String })))

describe("CodecRegistry", () => {
  it.effect("CodecRegistry.layer gives each codec by its name", () =>
    Effect.gen(function* () {
      const registry = yield* CodecRegistry.CodecRegistry
      assert.deepStrictEqual(registry.names, ["User", "Group"])
      const codec = yield* registry.get<{ readonly id: string }>("Group")
      assert.strictEqual(codec.version, 7)
      assert.deepStrictEqual(codec.decodeUnsafe(codec.encodeUnsafe({ id: "a" })), { id: "a" })
    }).pipe(
      Effect.provide(
        CodecRegistry.layer([
          { name: "User", shape },
          { name: "Group", shape, version: 7 }
        ])
      )
    )
  )

  it.effect("CodecRegistry.get fails for a name that nobody registered, and says which there are", () =>
    Effect.gen(function* () {
      const registry = yield* CodecRegistry.CodecRegistry
      const failure = yield* Effect.flip(registry.get("Role"))
      assert.strictEqual(failure.message, "Cannot find codec Role: known are User")
    }).pipe(Effect.provide(CodecRegistry.layer([{ name: "User", shape }])))
  )

  it.effect("CodecRegistry.layer fails for two codecs of one name", () =>
    Effect.gen(function* () {
      const twice = CodecRegistry.layer([
        { name: "User", shape },
        { name: "User", shape }
      ])
      const failure = yield* Effect.flip(Effect.provide(CodecRegistry.CodecRegistry, twice))
      assert.strictEqual(failure._tag, "CodecDuplicate")
    })
  )

  it.effect("CodecRegistry.make refuses what is registered after it is built, and stays as it was", () =>
    Effect.gen(function* () {
      let late: CodecRegistry.Register | undefined
      const registry = yield* CodecRegistry.make((register) => {
        late = register
        return register({ name: "User", shape })
      })
      const failure = yield* Effect.flip(late!({ name: "Group", shape }))
      assert.strictEqual(failure._tag, "CodecRegistryFrozen")
      assert.deepStrictEqual(registry.names, ["User"])
      assert.strictEqual((yield* Effect.flip(registry.get("Group")))._tag, "CodecUnknown")
    })
  )
})
