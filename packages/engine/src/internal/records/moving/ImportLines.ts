/** The lines of an import: parsed, numbered, and with the types at their beginning read, which a store is opened with. */
import { Data, Effect, Option, Pull, Result, type Scope, Stream } from "effect"
import * as RecordNdjson from "../../../RecordNdjson.ts"
import type * as RecordType from "../../../RecordType.ts"

/** A line cannot be imported. */
export class ImportLineInvalid extends Data.Error<{
  readonly source: string
  /** From 1. */
  readonly line: number
  readonly detail: string
}> {
  readonly _tag = "ImportLineInvalid"
  override readonly name = "ImportLineInvalid"
  override get message(): string {
    return `Cannot import ${this.source}, line ${this.line}: ${this.detail}`
  }
}

/** A line that is no type. */
export interface NumberedLine {
  readonly line: RecordNdjson.RunLine | RecordNdjson.RecordLine
  /** From 1. */
  readonly number: number
  readonly sizeBytes: number
}

/** Lines whose types are read. */
export interface ImportInput<E> {
  /** How errors name it. */
  readonly source: string
  /** The types that it declares. */
  readonly types: ReadonlyArray<RecordType.Any>
  /** Whether it has no line at all: not even a type. */
  readonly isEmpty: boolean
  readonly rest: Stream.Stream<NumberedLine, E | ImportLineInvalid>
}

/** Reads the types at the beginning, so that a store can be opened with them. The rest can be read once, in the scope. */
export const openLines: <E, R>(
  source: string,
  lines: Stream.Stream<Uint8Array, E, R>
) => Effect.Effect<ImportInput<E>, E | ImportLineInvalid, R | Scope.Scope> = Effect.fnUntraced(function* <E, R>(
  source: string,
  lines: Stream.Stream<Uint8Array, E, R>
) {
  const context = yield* Effect.context<R>()
  const pull = yield* Stream.toPull(Stream.provideContext(lines, context))
  const types: Array<RecordType.Any> = []
  let number = 0
  let inHead = true

  /** Takes in the types of these lines, and gives the other ones. */
  const read = (batch: ReadonlyArray<Uint8Array>): Result.Result<ReadonlyArray<NumberedLine>, ImportLineInvalid> => {
    const others: Array<NumberedLine> = []
    const invalid = (detail: string) => Result.fail(new ImportLineInvalid({ source, line: number, detail }))
    for (const bytes of batch) {
      number++
      const parsed = RecordNdjson.parse(bytes)
      if (Result.isFailure(parsed)) return invalid(parsed.failure)
      if (Option.isNone(parsed.success)) continue
      const line = parsed.success.value
      if (line.kind !== "type") {
        inHead = false
        others.push({ line, number, sizeBytes: bytes.length })
      } else if (!inHead) {
        return invalid("it declares a type, expected all types before the first run")
      } else if (types.some(({ name }) => name === line.type.name)) {
        return invalid(`it declares type ${line.type.name} a second time`)
      } else types.push(line.type)
    }
    return Result.succeed(others)
  }

  const next: Pull.Pull<NonEmptyLines, E | ImportLineInvalid> = Effect.gen(function* () {
    for (;;) {
      const others = yield* Effect.fromResult(read(yield* pull))
      if (isNonEmpty(others)) return others
    }
  })
  const first = yield* Pull.catchDone(Effect.map(next, Option.some), () => Effect.succeed(Option.none<NonEmptyLines>()))
  const rest = Option.match(first, {
    onNone: () => Stream.empty,
    onSome: (read) => Stream.concat(Stream.fromArray(read), Stream.fromPull(Effect.succeed(next)))
  })
  return { source, types, isEmpty: types.length === 0 && Option.isNone(first), rest }
})

type NonEmptyLines = readonly [NumberedLine, ...Array<NumberedLine>]

const isNonEmpty = (lines: ReadonlyArray<NumberedLine>): lines is NonEmptyLines => lines.length > 0
