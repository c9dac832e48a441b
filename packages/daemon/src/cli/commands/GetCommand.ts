/**
 * `icecore get`: the bytes of one entry by its seq or a key of it, or of a run of entries, each with a line feed behind it; or how
 * an entry is read.
 */
import { Data, Effect, Option, Stream } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { Base64, Hex } from "effect/encoding"
import type { Config } from "../../config/Config.ts"
import { Domain } from "../../Domain.ts"
import type { Entry } from "../../Entry.ts"
import * as Explanation from "../../Explanation.ts"
import { History } from "../../History.ts"
import * as EntriesQuery from "../../http/EntriesQuery.ts"
import * as Lines from "../../http/Lines.ts"
import type { CliCommand } from "../CliServices.ts"
import { jsonFlag } from "../CommonFlags.ts"
import { pinsOf, portsLayer } from "../Composition.ts"
import { configFlags, loadConfig } from "../ConfigFlags.ts"
import * as Output from "../Output.ts"
import { read } from "../Reading.ts"
import * as Remote from "../Remote.ts"

/** The argument names no entry. */
export class GetArgumentInvalid extends Data.Error<{ readonly text: string; readonly detail: string }> {
  readonly _tag = "GetArgumentInvalid"
  override readonly name = "GetArgumentInvalid"
  override get message(): string {
    return `Cannot get ${JSON.stringify(this.text)}: ${this.detail}`
  }
}

/** No entry has the key. */
export class KeyNotFound extends Data.Error<{ readonly key: Uint8Array }> {
  readonly _tag = "KeyNotFound"
  override readonly name = "KeyNotFound"
  override get message(): string {
    return `Cannot get key 0x${Hex.encode(this.key)}: no entry has it`
  }
}

const nameArgument = Argument.String("seq or key").pipe(
  Argument.withDescription("Sequence number of the entry, or a key of it")
)

const toFlag = Flag.Int("to").pipe(
  Flag.withDescription("Last entry wanted, inclusive: prints all from SEQ to here"),
  Flag.optional
)

const keyFlag = Flag.Boolean("key").pipe(
  Flag.withDescription("Take the argument for a key even where it could be a sequence number"),
  Flag.withDefault(false)
)

const explainFlag = Flag.Boolean("explain").pipe(
  Flag.withDescription("Print which parts of the store were asked and what each answered"),
  Flag.withDefault(false)
)

export const getCommand: CliCommand<"get"> = Command.make(
  "get",
  { ...configFlags, name: nameArgument, to: toFlag, key: keyFlag, explain: explainFlag, json: jsonFlag },
  Effect.fnUntraced(function* (input) {
    const { config } = yield* loadConfig(input)
    const { to, json, explain } = input
    const name = yield* parseName(config, input.name, input.key)
    if (Option.isSome(to)) {
      if ("key" in name || explain)
        return yield* new GetArgumentInvalid({
          text: input.name,
          detail: "--to goes with a sequence number alone"
        })
      const range = { from: name.seq, to: to.value }
      const local = Effect.flatMap(History, (history) =>
        Output.writeAll(Stream.map(history.range(range), Lines.encode))
      )
      return yield* read(config, local, Output.writeAll(Remote.lines(config, range)))
    }
    if (explain) {
      const print = (found: Explanation.ExplanationJson) =>
        json ? Output.writeJson(found) : Output.writeLine(Explanation.toText(found))
      const local = Effect.flatMap(History, (history) =>
        Effect.flatMap(history.explain(name), (found) => print(Explanation.toJson(found, { paths: true })))
      )
      return yield* read(config, local, Effect.flatMap(Remote.explain(config, name), print))
    }
    const print = (entry: Entry) => (json ? Output.writeJson(describe(entry)) : Output.write(Lines.encode([entry])))
    const local = Effect.flatMap(History, (history) => Effect.flatMap(entryOf(history, name), print))
    yield* read(config, local, Effect.flatMap(Remote.get(config, name), print))
  })
).pipe(
  Command.withDescription("Print an entry; asks the daemon when it holds the store"),
  Command.withExamples([
    { command: "icecore get 42", description: "Print entry 42" },
    { command: "icecore get 0 --to 99", description: "Print the first hundred entries" },
    { command: "icecore get 0x5f… --explain", description: "Say how the entry with this key is found" }
  ])
)

/** Digits that can be a seq are one; anything else is a key, as the domain reads it. */
const parseName = Effect.fnUntraced(function* (config: Config, text: string, isKey: boolean) {
  const seq = isKey ? Option.none() : EntriesQuery.parseSeq(text)
  if (Option.isSome(seq)) return { seq: seq.value }
  const ports = portsLayer(config)
  const domain = yield* Effect.provide(Domain, ports)
  if (Option.isNone(domain.keys)) {
    // Where the pins cannot be read, nobody knows whether entries have keys.
    yield* Effect.provide(pinsOf(config), ports)
    const detail = `it is no sequence number, and entries of domain ${domain.name} have no keys (domain.keys)`
    return yield* new GetArgumentInvalid({ text, detail })
  }
  const key = domain.keys.value.parse(text)
  if (Option.isSome(key)) return { key: key.value }
  return yield* new GetArgumentInvalid({ text, detail: "it is neither a sequence number nor a key" })
})

const entryOf = (history: History, name: Remote.EntryName) =>
  "seq" in name
    ? Effect.map(history.get(name.seq), (bytes): Entry => ({ seq: name.seq, bytes }))
    : Effect.flatMap(
        history.find(name.key),
        Option.match({
          onNone: () => Effect.fail(new KeyNotFound({ key: name.key })),
          onSome: (entry) => Effect.succeed(entry)
        })
      )

/** Base64 keeps any bytes; the text is there where it says the same. */
const describe = ({ seq, bytes }: Entry): unknown => {
  const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes)
  const isText = Buffer.compare(Buffer.from(text), bytes) === 0
  return { seq, sizeBytes: bytes.length, base64: Base64.encode(bytes), ...(isText ? { text } : {}) }
}
