/** The operations of a {@link RecordReader}: each takes a view of one moment, and reads in it. */
import { Effect, type Scope, Stream } from "effect"
import type { Reader } from "../../../Engine.ts"
import { SyncTypeMismatch } from "../../../RecordError.ts"
import {
  type MakeOptions,
  maxPageSize,
  type ReadOptions,
  type RecordReadError,
  type RecordReader,
  type StatsOptions,
  type StreamOptions
} from "../../../RecordReader.ts"
import type * as RecordType from "../../../RecordType.ts"
import type { SyncId } from "../../../SyncRun.ts"
import { checkStore } from "../checking/CheckStore.ts"
import { getRecord, getRecords } from "./KeyedReads.ts"
import { maxBatchBytes, streamRecords } from "./Listing.ts"
import { type AnyListOptions, checkCount, checkedQuery, listPage } from "./ListPage.ts"
import { makeMemo, type StoreView, syncView } from "./ReadView.ts"
import { latestFinished, readRun, readRuns } from "./RunReads.ts"
import { areCurrent, readTypes, type StoreTypes } from "./StoreTypes.ts"
import { readCounts } from "./SyncCounts.ts"

/** `RecordReader.make`. */
export const makeReader: (options: MakeOptions) => Effect.Effect<RecordReader, RecordReadError> = Effect.fnUntraced(
  function* ({ beforeRead, path, reader: acquire, types: declared }) {
    const typesIn = (reader: Reader) => readTypes({ reader, path, declared })
    let types: StoreTypes = yield* Effect.scoped(Effect.flatMap(acquire, typesIn))
    /** When the types were last seen to be those of the store. */
    let typesMoment: object | undefined
    const memo = makeMemo()

    /** A moment of the store. */
    const storeView = Effect.fnUntraced(function* (
      sync?: SyncId
    ): Effect.fn.Return<StoreView, RecordReadError, Scope.Scope> {
      if (beforeRead !== undefined) yield* beforeRead(sync)
      const reader = yield* acquire
      if (beforeRead === undefined && (reader.moment === undefined || reader.moment !== typesMoment)) {
        const before = types
        types = (yield* areCurrent(before, reader)) ? before : yield* typesIn(reader)
        typesMoment = reader.moment
      }
      return { reader, path, types, memo }
    })

    const get = Effect.fn("RecordReader.get")(function* (type: RecordType.Any, key: unknown, options?: ReadOptions) {
      const view = yield* syncView(yield* storeView(options?.sync), options?.sync)
      return yield* getRecord(view, yield* view.types.layoutFor(type), key)
    }, Effect.scoped)

    const getMany = Effect.fn("RecordReader.getMany")(function* (
      type: RecordType.Any,
      keys: ReadonlyArray<unknown>,
      options?: ReadOptions
    ) {
      const view = yield* syncView(yield* storeView(options?.sync), options?.sync)
      return yield* getRecords(view, yield* view.types.layoutFor(type), keys)
    }, Effect.scoped)

    const list = Effect.fn("RecordReader.list")(function* (type: RecordType.Any, options: AnyListOptions = {}) {
      return yield* listPage(yield* storeView(options.sync), type, options)
    }, Effect.scoped)

    const openStream = Effect.fnUntraced(function* (type: RecordType.Any, options: StreamOptions<RecordType.Any>) {
      const { batchBytes, batchSize, filter } = options
      if (batchSize !== undefined) yield* checkCount(path, { name: "batch size", value: batchSize, limit: maxPageSize })
      if (batchBytes !== undefined)
        yield* checkCount(path, { name: "number of bytes of a batch", value: batchBytes, limit: maxBatchBytes })
      const view = yield* syncView(yield* storeView(options.sync), options.sync)
      const query = yield* checkedQuery(path, yield* view.types.layoutFor(type), options)
      return streamRecords(view, query, { batchBytes, batchSize, filter })
    })

    const stats = Effect.fn("RecordReader.stats")(function* ({ sync, syncType }: StatsOptions = {}) {
      // Without the memo: its run is the caller's to change.
      const { memo: _, ...moment } = yield* storeView(sync)
      const view = yield* syncView(moment, sync, syncType)
      const { run } = view
      if (syncType !== undefined && run.type !== syncType) {
        return yield* new SyncTypeMismatch({ path, sync: run.sync_id, expected: syncType, actual: run.type })
      }
      return { run, counts: yield* readCounts(view) }
    }, Effect.scoped)

    const runs = Effect.scoped(Effect.flatMap(storeView(), ({ reader }) => readRuns(reader, path)))

    const reader: RecordReader = {
      path,
      types: types.layouts.map((layout) => layout.type),
      // The records of any type are those of the type that is given.
      get: get as RecordReader["get"],
      getMany: getMany as RecordReader["getMany"],
      list: list as RecordReader["list"],
      stream: ((type, options = {}) => Stream.unwrap(openStream(type, options))) as RecordReader["stream"],
      listSyncs: runs,
      getSync: (sync) => Effect.scoped(Effect.flatMap(storeView(sync), ({ reader }) => readRun(reader, path, sync))),
      latestFinishedSync: (syncType) => Effect.map(runs, (all) => latestFinished(all, syncType)),
      stats,
      check: Effect.fn("RecordReader.check")(function* (options = {}) {
        return yield* checkStore(yield* storeView(), options)
      }, Effect.scoped)
    }
    return reader
  }
)
