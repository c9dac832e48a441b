/**
 * `icecore archive get`: one record by its key.
 */
import { RecordNdjson, type RecordType } from "@icecore/engine"
import { Data, Effect, Option } from "effect"
import { Argument, Command } from "effect/cli"
import type { CliCommand } from "../../CliServices.ts"
import { jsonFlag } from "../../CommonFlags.ts"
import * as DisplayText from "../../DisplayText.ts"
import * as Output from "../../Output.ts"
import * as RecordArguments from "../../records/RecordArguments.ts"
import { limitsFlag, sourceArgument, syncFlag, typeArgument } from "../../records/RecordFlags.ts"
import * as RecordServices from "../../records/RecordServices.ts"
import * as RecordSource from "../../records/RecordSource.ts"
import * as RecordTable from "../../records/RecordTable.ts"

/** The sync has no record with the key. */
class RecordNotFound extends Data.Error<{
  readonly path: string
  readonly type: string
  readonly key: ReadonlyArray<string>
  readonly sync: string
}> {
  readonly _tag = "RecordNotFound"
  override readonly name = "RecordNotFound"
  override get message(): string {
    return `Cannot get ${this.type} ${this.key.map((part) => JSON.stringify(part)).join(" ")} of ${this.path}: sync ${this.sync} has no such record`
  }
}

export const archiveGetCommand: CliCommand<"get"> = Command.make(
  "get",
  {
    source: sourceArgument,
    type: typeArgument,
    key: Argument.String("key").pipe(
      Argument.withDescription("The parts of its key, in their order: icecore archive info names them"),
      Argument.variadic()
    ),
    sync: syncFlag,
    "max-decoded-size": limitsFlag,
    json: jsonFlag
  },
  Effect.fnUntraced(
    function* (input) {
      const { reader } = yield* RecordSource.open(input.source, input["max-decoded-size"])
      const type = yield* RecordArguments.chooseType(reader.types, input.type)
      const key = yield* RecordArguments.parseKey(type, input.key)
      const run = yield* RecordArguments.chooseSync(reader, input.sync)
      const found = yield* reader.get(type, key, { sync: run.sync_id })
      if (Option.isNone(found))
        return yield* new RecordNotFound({
          path: input.source,
          type: type.name,
          key: input.key,
          sync: run.sync_id
        })
      yield* input.json
        ? Output.writeJson(RecordNdjson.toJson(type, found.value))
        : Output.writeLine(textOf(type, found.value, reader.types))
    },
    Effect.scoped,
    Effect.provide(RecordServices.layer)
  )
).pipe(
  Command.withDescription("Print the record that has a key"),
  Command.withExamples([
    { command: "icecore archive get sync.c1z Resource user 42", description: "A key of two parts" },
    { command: "icecore archive get store Grant g-17 --json", description: "All of a record, exactly" }
  ])
)

const textOf = (type: RecordType.Any, record: object, types: ReadonlyArray<RecordType.Any>): string =>
  Output.pairs(RecordTable.pairsOf(type, record, types).map(([name, value]) => [name, DisplayText.visible(value)]))
