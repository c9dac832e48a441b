/**
 * Errors on their way between threads: what a structured copy would make of an error has neither its class nor its message, so
 * they travel as tag and fields, and come out as the same class.
 */
import { ZstdCompressFailed, ZstdFrameInvalid } from "@icecore/codec"
import {
  DiskExists,
  DiskFailed,
  DiskFull,
  DiskNotFound,
  DiskShortRead,
  KeyIndexCorrupt,
  KeyIndexDuplicateKey,
  KeyRunCorrupt,
  PackContentHashMismatch,
  PackCorrupt,
  PackEncodeFailed,
  PackExtractFailed,
  PackLimitExceeded,
  PackOptionInvalid,
  PackPositionOutOfRange,
  PackPositionsUnsorted,
  PackWriterClosed,
  RecordEncoding
} from "@icecore/packfile"
import { Predicate } from "effect"
import { type ArtifactWorkError, WorkerLost } from "../../ArtifactWork.ts"
import { FrozenChunkWrong } from "../../EntriesPack.ts"
import { EntryRefused } from "../../History.ts"
import { ChunkUncovered } from "../../StorageError.ts"

/** An error as data. */
export interface EncodedError {
  readonly tag: string
  /** All but its cause: numbers, texts, and absent ones left out. */
  readonly fields: Readonly<Record<string, unknown>>
  readonly cause: EncodedCause | null
}

/** What is behind an error: one of ours, or what is left of anything else. */
export type EncodedCause =
  | { readonly kind: "error"; readonly error: EncodedError }
  | { readonly kind: "text"; readonly name: string; readonly message: string }

/** Errors that stand behind others. */
type CauseError =
  | RecordEncoding.RecordEncodeFailed
  | RecordEncoding.RecordDecodeFailed
  | ZstdCompressFailed
  | ZstdFrameInvalid

type Transferable = ArtifactWorkError | CauseError

type Classes = {
  readonly [Tag in Transferable["_tag"]]: new (
    fields: never
  ) => Extract<Transferable, { readonly _tag: Tag }>
}

const classes: Classes = {
  ChunkUncovered,
  DiskExists,
  DiskFailed,
  DiskFull,
  DiskNotFound,
  DiskShortRead,
  EntryRefused,
  FrozenChunkWrong,
  KeyIndexCorrupt,
  KeyIndexDuplicateKey,
  KeyRunCorrupt,
  PackContentHashMismatch,
  PackCorrupt,
  PackEncodeFailed,
  PackExtractFailed,
  PackLimitExceeded,
  PackOptionInvalid,
  PackPositionOutOfRange,
  PackPositionsUnsorted,
  PackWriterClosed,
  RecordDecodeFailed: RecordEncoding.RecordDecodeFailed,
  RecordEncodeFailed: RecordEncoding.RecordEncodeFailed,
  WorkerLost,
  ZstdCompressFailed,
  ZstdFrameInvalid
}

const isTransferable = (value: unknown): value is Transferable =>
  Predicate.hasProperty(value, "_tag") && Object.hasOwn(classes, String(value._tag))

/** Properties of every error, which its class or the runtime gives it. */
const given: ReadonlySet<string> = new Set(["_tag", "name", "message", "stack", "cause"])

/** Errors that stand behind one another are followed this far. */
const maxCauses = 8

export const encode = (error: ArtifactWorkError): EncodedError => encodeTo(error, maxCauses)

const encodeTo = (error: Transferable, depth: number): EncodedError => {
  const fields = Object.fromEntries(Object.entries(error).filter(([name]) => !given.has(name)))
  const cause = Predicate.hasProperty(error, "cause") ? error.cause : undefined
  return { tag: error._tag, fields, cause: cause === undefined || depth === 0 ? null : encodeCause(cause, depth - 1) }
}

const encodeCause = (cause: unknown, depth: number): EncodedCause => {
  if (isTransferable(cause)) return { kind: "error", error: encodeTo(cause, depth) }
  if (cause instanceof Error) return { kind: "text", name: cause.name, message: cause.message }
  return { kind: "text", name: "Error", message: String(cause) }
}

/** The inverse: an error of the same class, with the same fields and message. */
export const decode = (encoded: EncodedError): ArtifactWorkError => rebuild(encoded) as ArtifactWorkError

const rebuild = ({ tag, fields, cause }: EncodedError): Transferable => {
  const Class = classes[tag as Transferable["_tag"]] as new (fields: object) => Transferable
  return new Class(cause === null ? fields : { ...fields, cause: decodeCause(cause) })
}

const decodeCause = (encoded: EncodedCause): unknown => {
  if (encoded.kind === "error") return rebuild(encoded.error)
  const error = new Error(encoded.message)
  error.name = encoded.name
  return error
}
