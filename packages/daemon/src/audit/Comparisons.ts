/** Holds stored entries against those who give them, too: the source, and the history. */
import { Effect, Option, Result } from "effect"
import { Hex } from "effect/encoding"
import type { History } from "../History.ts"
import { isEqual } from "../kernel/EntryBytes.ts"
import type { SourceError } from "../Source.ts"
import type { AuditContext, SourceSide } from "./AuditContext.ts"

/** One entry by its seq and by each of its keys. */
export const askHistory: (
  context: AuditContext,
  history: History,
  seq: number,
  entry: Uint8Array,
  wrongRead: (message: string, seq: number, isFailure: boolean) => void
) => Effect.Effect<void> = Effect.fnUntraced(function* (
  { domain }: AuditContext,
  history: History,
  seq: number,
  entry: Uint8Array,
  wrongRead: (message: string, seq: number, isFailure: boolean) => void
) {
  const got = yield* Effect.result(history.get(seq))
  if (Result.isFailure(got)) return wrongRead(got.failure.message, seq, true)
  if (!isEqual(entry, got.success)) return wrongRead(`Entry ${seq} is read as other bytes than are stored`, seq, false)
  if (Option.isNone(domain.keys)) return
  const { of, duplicates } = domain.keys.value
  for (const key of Result.getOrElse(of(entry), () => [])) {
    const text = `0x${Hex.encode(key)}`
    const found = yield* Effect.result(history.find(key))
    if (Result.isFailure(found)) return wrongRead(`Key ${text} of entry ${seq}: ${found.failure.message}`, seq, true)
    if (Option.isNone(found.success)) return wrongRead(`Key ${text} of entry ${seq} finds nothing`, seq, false)
    const answer = found.success.value
    const isRight =
      answer.seq === seq
        ? isEqual(entry, answer.bytes)
        : duplicates !== "error" &&
          (duplicates === "first" ? answer.seq < seq : answer.seq > seq) &&
          Result.getOrElse(of(answer.bytes), () => []).some((other) => isEqual(key, other))
    if (!isRight) return wrongRead(`Key ${text} of entry ${seq} finds entry ${answer.seq}`, seq, false)
  }
})

/** Holds a batch against what the source gives. One finding a batch: the first entry that differs. */
export const compareSource: (
  source: SourceSide,
  firstSeq: number,
  batch: ReadonlyArray<Uint8Array>,
  tell: (fault: "unequal" | "source", message: string, seq: number) => void
) => Effect.Effect<void> = Effect.fnUntraced(function* (source, firstSeq, batch, tell) {
  if (source.isOver) return
  const failed = (error: SourceError): void => {
    source.isOver = true
    const { name, nextSeq } = source
    tell("source", `Cannot compare with source ${name} from entry ${nextSeq} on: ${error.message}`, nextSeq)
  }
  // What an unreadable part of a chunk has left behind.
  if (source.nextSeq < firstSeq) {
    const skipped = yield* Effect.result(source.cursor.take(firstSeq - source.nextSeq))
    if (Result.isFailure(skipped)) return failed(skipped.failure)
    source.nextSeq += skipped.success.length
  }
  const given = yield* Effect.result(source.cursor.take(batch.length))
  if (Result.isFailure(given)) return failed(given.failure)
  source.nextSeq += given.success.length
  const at = given.success.findIndex((entry, index) => !isEqual(entry, batch[index]))
  if (at >= 0) tell("unequal", `Entry ${firstSeq + at} is not the one that source ${source.name} gives`, firstSeq + at)
  if (given.success.length < batch.length) {
    source.isOver = true
    tell("unequal", `Source ${source.name} ends before entry ${source.nextSeq}, which is stored`, source.nextSeq)
  }
})
