/**
 * What a hot database holds, read through the engine port: entries that must be dense, and keys that must be those of the entries,
 * no more and no fewer.
 *
 * ```
 * entries   u64 big-endian seq     the entry's bytes
 * keys      16 bytes of a key      the other 16 bytes, then u64 big-endian seq
 * source    "position"             u64 big-endian seq, then a token
 * ```
 */
import type { Database, Engine, EngineOpenError, EngineReadError } from "@icecore/engine"
import { Effect, Option, Result, type Scope, Stream } from "effect"
import { Hex } from "effect/encoding"
import type { DomainKeys } from "../Domain.ts"
import { ImageWrong } from "./PackImage.ts"

const entriesKeyspace = "entries"
const keysKeyspace = "keys"
const sourceKeyspace = "source"

const prefixBytes = 16
const keyBytes = 32

export interface HotImage {
  readonly path: string
  readonly database: Database
}

/** Opens a database for reading, for the scope. */
export const open = (
  engine: Engine,
  path: string,
  hasKeys: boolean
): Effect.Effect<HotImage, EngineOpenError, Scope.Scope> =>
  Effect.map(
    engine.open({
      path,
      keyspaces: hasKeys ? [entriesKeyspace, keysKeyspace, sourceKeyspace] : [entriesKeyspace, sourceKeyspace],
      mode: "readOnly"
    }),
    (database) => ({ path, database })
  )

const seqOf = (bytes: Uint8Array, at: number): bigint =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getBigUint64(at)

const wrong = (path: string, detail: string): ImageWrong => new ImageWrong({ path, detail, items: Option.none() })

/** The last seq; none when it is empty. */
export const lastSeq = ({
  path,
  database
}: HotImage): Effect.Effect<Option.Option<number>, ImageWrong | EngineReadError> =>
  Effect.flatMap(Stream.runHead(database.scan(entriesKeyspace, { reverse: true, limit: 1 })), (last) => {
    if (Option.isNone(last)) return Effect.succeedNone
    if (last.value.key.length !== 8) return Effect.fail(wrong(path, "a key of an entry is not 8 bytes long"))
    return Effect.succeed(Option.some(Number(seqOf(last.value.key, 0))))
  })

/** The entries from the first one on, in batches; fails at the first that is not the one behind its predecessor. */
export const entries = (
  { path, database }: HotImage,
  firstSeq: number
): Stream.Stream<ReadonlyArray<Uint8Array>, ImageWrong | EngineReadError> =>
  Stream.suspend(() => {
    let expected = BigInt(firstSeq)
    return Stream.mapEffect(Stream.chunks(database.scan(entriesKeyspace)), (rows) => {
      const found: Array<Uint8Array> = []
      for (const { key, value } of rows) {
        if (key.length !== 8 || seqOf(key, 0) !== expected)
          return Effect.fail(wrong(path, `entry ${expected} is missing`))
        expected++
        found.push(value)
      }
      return Effect.succeed(found)
    })
  })

/** Holds the rows of keys against the entries, both ways. The policy says which entry a key of two entries names. */
export const checkKeys: (
  image: HotImage,
  firstSeq: number,
  keys: DomainKeys
) => Effect.Effect<{ readonly keyCount: number }, ImageWrong | EngineReadError> = Effect.fnUntraced(function* (
  image: HotImage,
  firstSeq: number,
  keys: DomainKeys
) {
  const { path, database } = image
  const named = (prefix: Uint8Array, entry: Uint8Array): boolean =>
    Result.match(keys.of(entry), {
      onFailure: () => false,
      onSuccess: (own) => own.some((key) => Buffer.compare(key.subarray(0, prefixBytes), prefix) === 0)
    })
  let seq = firstSeq - 1
  // Each row that its own entry finds is counted once, so as many rows must lie there.
  let ownCount = 0
  yield* Stream.runForEach(entries(image, firstSeq), (batch) =>
    Effect.gen(function* () {
      for (const entry of batch) {
        seq++
        const own = keys.of(entry)
        if (Result.isFailure(own)) return yield* wrong(path, `entry ${seq} is refused by the domain: ${own.failure}`)
        const prefixes = new Map(own.success.map((key) => [Hex.encode(key).slice(0, 2 * prefixBytes), key]))
        for (const key of prefixes.values()) {
          const value = Option.getOrUndefined(yield* database.get(keysKeyspace, key.slice(0, prefixBytes)))
          if (value === undefined || value.length !== keyBytes - prefixBytes + 8)
            return yield* wrong(path, `key 0x${Hex.encode(key)} of entry ${seq} is not in it`)
          const found = Number(seqOf(value, keyBytes - prefixBytes))
          if (found === seq) {
            const rest = own.success.some(
              (each) => Buffer.compare(each.subarray(prefixBytes), value.subarray(0, keyBytes - prefixBytes)) === 0
            )
            if (!rest) return yield* wrong(path, `key 0x${Hex.encode(key)} of entry ${seq} has another end`)
            ownCount++
          } else if (keys.duplicates === "error" || (keys.duplicates === "first" ? found > seq : found < seq))
            return yield* wrong(path, `key 0x${Hex.encode(key)} of entry ${seq} names entry ${found}`)
        }
      }
    })
  )
  let rowCount = 0
  yield* Stream.runForEach(database.scan(keysKeyspace), ({ key, value }) =>
    Effect.gen(function* () {
      rowCount++
      const owner = value.length < 8 ? -1 : Number(seqOf(value, value.length - 8))
      const place = new Uint8Array(8)
      if (owner >= 0) new DataView(place.buffer).setBigUint64(0, BigInt(owner))
      const entry = owner < 0 ? Option.none() : yield* database.get(entriesKeyspace, place)
      if (Option.isNone(entry) || !named(key, entry.value))
        return yield* wrong(path, `key 0x${Hex.encode(key)} names entry ${owner}, which does not have it`)
    })
  )
  if (rowCount !== ownCount) return yield* wrong(path, `it has ${rowCount} keys, its entries have ${ownCount}`)
  return { keyCount: ownCount }
})
