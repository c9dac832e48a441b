/**
 * Arguments and flags that several commands on records have.
 */
import type { Throttle } from "@icecore/compactor"
import type { Archive } from "@icecore/engine"
import { Option, Schema } from "effect"
import { Argument, Flag } from "effect/cli"

const sourceText = "An archive of any kind, or the directory of a record store"

/** What is read. */
export const sourceArgument: Argument.Argument<string> = Argument.String("source").pipe(
  Argument.withDescription(sourceText)
)

export const typeArgument: Argument.Argument<string> = Argument.String("type").pipe(
  Argument.withDescription("A record type, or the beginning of its name")
)

export const syncFlag: Flag.Flag<Option.Option<string>> = Flag.String("sync").pipe(
  Flag.withDescription("Read the sync with this id, whether it has ended or not (default: the one that ended last)"),
  Flag.withMetavar("ID"),
  Flag.optional
)

export const syncsFlag: Flag.Flag<ReadonlyArray<string>> = Flag.String("sync").pipe(
  Flag.withDescription("Only the sync with this id; may be given more than once"),
  Flag.withMetavar("ID"),
  Flag.atLeast(0)
)

export const typesFlag: Flag.Flag<ReadonlyArray<string>> = Flag.String("type").pipe(
  Flag.withDescription("Only this record type; may be given more than once"),
  Flag.withMetavar("TYPE"),
  Flag.atLeast(0)
)

export const ndjsonFlag: Flag.Flag<boolean> = Flag.Boolean("ndjson").pipe(
  Flag.withDescription("Print a line of JSON for each"),
  Flag.withDefault(false)
)

export const dryRunFlag: Flag.Flag<boolean> = Flag.Boolean("dry-run").pipe(
  Flag.withDescription("Only say what would be done"),
  Flag.withDefault(false)
)

/** How fast a store may be written to, as the options of a compactor. */
export const rateFlag: Flag.Flag<Throttle.ThrottleOptions> = Flag.Int("rate").pipe(
  Flag.withSchema(Schema.Int.check(Schema.isGreaterThan(0))),
  Flag.withDescription("Bytes that are written in a second at most (default: no bound)"),
  Flag.withMetavar("BYTES"),
  Flag.optional,
  Flag.map(Option.match({ onNone: () => ({}), onSome: (bytesPerSecond) => ({ bytesPerSecond }) }))
)

/** What is allowed of an archive beyond the defaults. */
export const limitsFlag: Flag.Flag<Archive.ArchiveLimits> = Flag.Int("max-decoded-size").pipe(
  Flag.withDescription("What an archive may unpack to (default: 100 times its size, at least 64 MiB, at most 10 GiB)"),
  Flag.withMetavar("BYTES"),
  Flag.optional,
  Flag.map(Option.match({ onNone: () => ({}), onSome: (maxDecodedSizeBytes) => ({ maxDecodedSizeBytes }) }))
)
