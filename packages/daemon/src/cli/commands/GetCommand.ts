/**
 * `icecore get`: the bytes of one entry, or of a run of entries, each with a line feed behind it.
 */
import { Effect, Option, Stream } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { Base64 } from "effect/encoding"
import { History } from "../../History.ts"
import * as Lines from "../../http/Lines.ts"
import type { CliCommand } from "../CliServices.ts"
import { jsonFlag } from "../CommonFlags.ts"
import { configFlags, loadConfig } from "../ConfigFlags.ts"
import * as Output from "../Output.ts"
import { read } from "../Reading.ts"
import * as Remote from "../Remote.ts"

const seqArgument = Argument.Int("seq").pipe(Argument.withDescription("Sequence number of the entry"))

const toFlag = Flag.Int("to").pipe(
  Flag.withDescription("Last entry wanted, inclusive: prints all from SEQ to here"),
  Flag.optional
)

export const getCommand: CliCommand<"get"> = Command.make(
  "get",
  { ...configFlags, seq: seqArgument, to: toFlag, json: jsonFlag },
  Effect.fnUntraced(function* (input) {
    const { config } = yield* loadConfig(input)
    const { seq, to, json } = input
    if (Option.isSome(to)) {
      const range = { from: seq, to: to.value }
      const local = Effect.flatMap(History, (history) =>
        Output.writeAll(Stream.map(history.range(range), Lines.encode))
      )
      return yield* read(config, local, Output.writeAll(Remote.lines(config, range)))
    }
    const print = (bytes: Uint8Array) => (json ? Output.writeJson(describe(seq, bytes)) : writeEntry(bytes))
    const local = Effect.flatMap(History, (history) => Effect.flatMap(history.get(seq), print))
    yield* read(config, local, Effect.flatMap(Remote.get(config, seq), print))
  })
).pipe(
  Command.withDescription("Print an entry; asks the daemon when it holds the store"),
  Command.withExamples([
    { command: "icecore get 42", description: "Print entry 42" },
    { command: "icecore get 0 --to 99", description: "Print the first hundred entries" }
  ])
)

const writeEntry = (bytes: Uint8Array) => Output.write(Lines.encode([{ seq: 0, bytes }]))

/** Base64 keeps any bytes; the text is there where it says the same. */
const describe = (seq: number, bytes: Uint8Array): unknown => {
  const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes)
  const isText = Buffer.compare(Buffer.from(text), bytes) === 0
  return { seq, sizeBytes: bytes.length, base64: Base64.encode(bytes), ...(isText ? { text } : {}) }
}
