/**
 * What the record store fails with, besides the errors of the engine underneath ({@link "./Engine.ts"}).
 *
 * Misuse, absence, refusal and damage have tags of their own: `NoCurrentSync`, `SyncEnded`, `SyncInUse`,
 * `SyncTypeMismatch` and `RecordMisuse` are the caller's, `SyncNotFound`, `NoFinishedSync` and `SyncUnfinished` say that something is
 * not there (or not whole), `RecordRefused`, `RecordKeySize` and `RecordCountLimit` that a record cannot be stored,
 * `StoreVersionUnknown` that a newer program wrote the store, `RecordCorrupt` and `StoreCorrupt` that stored bytes are not what was
 * written. A record that is absent is no error but `Option.none`.
 */
import { Data } from "effect"
import { Hex } from "effect/encoding"

/** A change was asked for while no sync is current: start or resume one. */
export class NoCurrentSync extends Data.Error<{ readonly path: string; readonly operation: string }> {
  readonly _tag = "NoCurrentSync"
  override readonly name = "NoCurrentSync"
  override get message(): string {
    return `Cannot ${this.operation} in record store ${this.path}: there is no current sync, start or resume one`
  }
}

/** A read named no sync, and none has ended (of that type, where one was asked for). */
export class NoFinishedSync extends Data.Error<{ readonly path: string; readonly syncType?: string }> {
  readonly _tag = "NoFinishedSync"
  override readonly name = "NoFinishedSync"
  override get message(): string {
    const type = this.syncType === undefined ? "" : ` of type ${this.syncType}`
    return `Cannot read record store ${this.path}: no sync${type} has ended, name the one to read`
  }
}

/** There is no sync of this id. */
export class SyncNotFound extends Data.Error<{ readonly path: string; readonly sync: string }> {
  readonly _tag = "SyncNotFound"
  override readonly name = "SyncNotFound"
  override get message(): string {
    return `Cannot use sync ${this.sync} of record store ${this.path}: there is none`
  }
}

/** A sync of this id is there already. */
export class SyncExists extends Data.Error<{ readonly path: string; readonly sync: string }> {
  readonly _tag = "SyncExists"
  override readonly name = "SyncExists"
  override get message(): string {
    return `Cannot start sync ${this.sync} of record store ${this.path}: there is one of this id`
  }
}

/** The sync has ended: it takes no more changes. */
export class SyncEnded extends Data.Error<{ readonly path: string; readonly sync: string }> {
  readonly _tag = "SyncEnded"
  override readonly name = "SyncEnded"
  override get message(): string {
    return `Cannot change sync ${this.sync} of record store ${this.path}: it has ended`
  }
}

/** The sync has not ended, and only finished ones are taken unless the caller says otherwise. */
export class SyncUnfinished extends Data.Error<{ readonly path: string; readonly sync: string }> {
  readonly _tag = "SyncUnfinished"
  override readonly name = "SyncUnfinished"
  override get message(): string {
    return `Cannot copy sync ${this.sync} of ${this.path}: it has not ended`
  }
}

/** The sync is the current one of the open store, which alone may change it: end it, or make another one current. */
export class SyncInUse extends Data.Error<{
  readonly path: string
  readonly sync: string
  readonly operation: string
}> {
  readonly _tag = "SyncInUse"
  override readonly name = "SyncInUse"
  override get message(): string {
    return `Cannot ${this.operation} sync ${this.sync} of record store ${this.path}: it is the current one, which is being filled`
  }
}

/** The sync is of another type than was asked for. */
export class SyncTypeMismatch extends Data.Error<{
  readonly path: string
  readonly sync: string
  readonly expected: string
  readonly actual: string
}> {
  readonly _tag = "SyncTypeMismatch"
  override readonly name = "SyncTypeMismatch"
  override get message(): string {
    return `Cannot read sync ${this.sync} of record store ${this.path}: its type is ${this.actual}, expected ${this.expected}`
  }
}

/** The store was not opened with this type and has none of this name. */
export class RecordTypeUnknown extends Data.Error<{ readonly path: string; readonly type: string }> {
  readonly _tag = "RecordTypeUnknown"
  override readonly name = "RecordTypeUnknown"
  override get message(): string {
    return `Cannot use record type ${this.type} in record store ${this.path}: it was not opened with it`
  }
}

/** The declaration of a type cannot stand beside the records stored under its name; `detail` says what differs. */
export class RecordTypeChanged extends Data.Error<{
  readonly path: string
  readonly type: string
  readonly detail: string
}> {
  readonly _tag = "RecordTypeChanged"
  override readonly name = "RecordTypeChanged"
  override get message(): string {
    return `Cannot open record store ${this.path} with record type ${this.type}: ${this.detail}`
  }
}

/** The database is whole, but it is no record store. */
export class NotRecordStore extends Data.Error<{ readonly path: string; readonly detail: string }> {
  readonly _tag = "NotRecordStore"
  override readonly name = "NotRecordStore"
  override get message(): string {
    return `Cannot open record store ${this.path}: ${this.detail}`
  }
}

/** The call cannot be made: an index that the type does not have, a page size out of bounds, a type without a time. */
export class RecordMisuse extends Data.Error<{ readonly path: string; readonly detail: string }> {
  readonly _tag = "RecordMisuse"
  override readonly name = "RecordMisuse"
  override get message(): string {
    return `Cannot use record store ${this.path}: ${this.detail}`
  }
}

/** A record is not of its type. Nothing of the call was stored. */
export class RecordRefused extends Data.Error<{
  readonly type: string
  /** Which of the records of the call, from 0. */
  readonly position: number
  /** The field, as a dotted path; empty for the record itself. */
  readonly field: string
  readonly expected: string
  readonly actual: string
}> {
  readonly _tag = "RecordRefused"
  override readonly name = "RecordRefused"
  override get message(): string {
    const field = this.field === "" ? "the record" : this.field
    return `Cannot store ${this.type} ${this.position}: ${field} is ${this.actual}, expected ${this.expected}`
  }
}

/** The key of a record, or of one of its index entries, is longer than an engine takes. Nothing of the call was stored. */
export class RecordKeySize extends Data.Error<{
  readonly type: string
  /** The index whose entry it is; absent for the primary key. */
  readonly index?: string
  readonly position: number
  readonly limit: number
}> {
  readonly _tag = "RecordKeySize"
  override readonly name = "RecordKeySize"
  override get message(): string {
    const key = this.index === undefined ? "its key" : `its entry in index ${this.index}`
    return `Cannot store ${this.type} ${this.position}: ${key} is too long, allowed are ${this.limit} bytes`
  }
}

/** A call has more records than one atomic batch takes. Nothing of it was stored. */
export class RecordCountLimit extends Data.Error<{
  readonly type: string
  readonly actual: number
  readonly limit: number
}> {
  readonly _tag = "RecordCountLimit"
  override readonly name = "RecordCountLimit"
  override get message(): string {
    return `Cannot store ${this.actual} records of ${this.type} at once in a resumed sync, allowed are ${this.limit}`
  }
}

/** The bytes of a stored record do not decode as its type. */
export class RecordCorrupt extends Data.Error<{
  readonly path: string
  readonly type: string
  /** The whole key of the row: layout version, tag, sync, tuple. */
  readonly key: Uint8Array
  readonly detail: string
}> {
  readonly _tag = "RecordCorrupt"
  override readonly name = "RecordCorrupt"
  override get message(): string {
    return `Cannot read ${this.type} 0x${Hex.encode(this.key)} of record store ${this.path}: ${this.detail}`
  }
}

/** What of a record store is damaged, other than its records. */
export type StorePart = "schema" | "sync run" | "bookkeeping"

/** A row that the store keeps about itself is not what was written. */
export class StoreCorrupt extends Data.Error<{
  readonly path: string
  readonly part: StorePart
  readonly detail: string
}> {
  readonly _tag = "StoreCorrupt"
  override readonly name = "StoreCorrupt"
  override get message(): string {
    return `Cannot read record store ${this.path}: its ${this.part} is damaged: ${this.detail}`
  }
}

/** What of a record store has a version of its own. */
export type VersionedPart = "schema format" | "key layout"

/** The store was written by a newer program, or is no store that any program wrote. */
export class StoreVersionUnknown extends Data.Error<{
  readonly path: string
  readonly part: VersionedPart
  readonly expected: number
  readonly actual: number
}> {
  readonly _tag = "StoreVersionUnknown"
  override readonly name = "StoreVersionUnknown"
  override get message(): string {
    return `Cannot read record store ${this.path}: its ${this.part} is version ${this.actual}, expected ${this.expected}`
  }
}
