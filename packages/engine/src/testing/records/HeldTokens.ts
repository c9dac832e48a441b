/** Page tokens that are kept while the store changes: a listing goes on behind the last row it gave out, and no token fits anywhere else. */
import { Effect, Option } from "effect"
import type { RecordListError, RecordReader } from "../../RecordReader.ts"
import type { SyncId } from "../../SyncRun.ts"
import { agree, agreeFails, type RecordsDiffer } from "./CompareReader.ts"
import { type ModelType, modelTypes } from "./ModelTypes.ts"
import type { RecordChoices } from "./RecordChoices.ts"
import {
  comparePositions,
  describe,
  latestFinished,
  listed,
  type ModelRecord,
  type ModelStore,
  positionOf
} from "./RecordModel.ts"

/** Tokens kept at once. */
const tokenLimit = 12

interface HeldToken {
  readonly token: string
  readonly type: ModelType
  readonly index: string | undefined
  readonly prefix: ModelRecord | undefined
  /** The last record before it. */
  readonly last: ModelRecord
  readonly sync: SyncId
  /** The sync was not named. */
  readonly isDefault: boolean
}

export interface HeldTokens {
  /** Begins a listing, or goes on with one, or tries a token where it does not belong. */
  readonly step: (reader: RecordReader, model: ModelStore) => Effect.Effect<void, RecordsDiffer | RecordListError>
}

export const makeHeldTokens = (random: RecordChoices): HeldTokens => {
  let held: ReadonlyArray<HeldToken> = []

  const begin = (model: ModelStore): Omit<HeldToken, "token" | "last"> | undefined => {
    const latest = latestFinished(model.syncs)?.sync_id
    const isDefault = latest !== undefined && random.oneIn(3)
    const sync = isDefault ? latest : random.pick([undefined, ...model.syncs.values()])?.run.sync_id
    if (sync === undefined) return undefined
    const type = random.pick(modelTypes)
    const index = random.pick([undefined, ...Object.keys(type.indexes)])
    const table = model.syncs.get(sync)!.tables.get(type.type.name)!
    return { type, index, sync, isDefault, prefix: random.oneIn(3) ? random.prefix(type, index, table) : undefined }
  }

  const optionsOf = ({ index, isDefault, prefix, sync }: Omit<HeldToken, "token" | "last">) => ({
    ...(isDefault ? {} : { sync }),
    ...(index === undefined ? {} : { index }),
    ...(prefix === undefined ? {} : { prefix })
  })

  const turn = Effect.fnUntraced(function* (
    reader: RecordReader,
    model: ModelStore,
    listing: Omit<HeldToken, "token" | "last">,
    behind?: Pick<HeldToken, "last" | "token">
  ): Effect.fn.Return<void, RecordsDiffer | RecordListError> {
    const pageSize = 1 + random.nextInt(4)
    const all = listed(model.syncs.get(listing.sync)!, listing)
    const expected =
      behind === undefined
        ? all
        : all.filter((each) => comparePositions(positionOf(listing, each), positionOf(listing, behind.last)) > 0)
    const what = `a page of ${pageSize} of ${listing.type.type.name} ${listing.index ?? "by key"} behind ${describe(behind?.last)}`
    const page = yield* reader.list(listing.type.type, {
      ...optionsOf(listing),
      pageSize,
      ...(behind === undefined ? {} : { pageToken: behind.token })
    })
    yield* agree(what, page.items, expected.slice(0, pageSize))
    yield* agree(`the token of ${what}`, Option.isSome(page.nextPageToken), expected.length > pageSize)
    if (Option.isSome(page.nextPageToken))
      held = [...held, { ...listing, token: page.nextPageToken.value, last: expected[pageSize - 1]! }].slice(
        -tokenLimit
      )
  })

  /** The token with a changed character, cut short, or in a listing that is not its own. */
  const misuse = (reader: RecordReader, model: ModelStore, each: HeldToken) => {
    const options = { ...optionsOf(each), pageToken: each.token }
    const at = random.nextInt(each.token.length)
    const changed = each.token[at] === "A" ? "B" : "A"
    const others = Object.keys(each.type.indexes).filter((index) => index !== each.index)
    const { prefix, index, ...unprefixed } = { prefix: undefined, index: undefined, ...options }
    const misuses = [
      { ...options, pageToken: each.token.slice(0, at) + changed + each.token.slice(at + 1) },
      { ...options, pageToken: each.token.slice(0, Math.max(1, at)) },
      ...others.map((other) => ({ ...unprefixed, index: other })),
      ...(prefix === undefined ? [] : [{ ...unprefixed, ...(index === undefined ? {} : { index }) }]),
      ...[...model.syncs.keys()]
        .filter((sync) => sync !== each.sync)
        .map((sync) => ({ ...options, sync: sync as SyncId }))
    ]
    return agreeFails(
      "a token that does not belong",
      reader.list(each.type.type, random.pick(misuses)),
      "InvalidPageToken"
    )
  }

  return {
    step: (reader, model) => {
      held = held.filter(({ sync }) => model.syncs.has(sync))
      if (held.length === 0 || random.oneIn(3)) {
        const listing = begin(model)
        return listing === undefined ? Effect.void : turn(reader, model, listing)
      }
      const each = random.pick(held)
      return random.oneIn(3) ? misuse(reader, model, each) : turn(reader, model, each, each)
    }
  }
}
