/**
 * `icecore status`: what is served and how things are.
 */
import { Effect, Predicate } from "effect"
import { Command } from "effect/cli"
import { History } from "../../History.ts"
import { statusBody } from "../../http/Routes.ts"
import type { CliCommand } from "../CliServices.ts"
import { jsonFlag } from "../CommonFlags.ts"
import { configFlags, loadConfig } from "../ConfigFlags.ts"
import * as Output from "../Output.ts"
import { read } from "../Reading.ts"
import * as Remote from "../Remote.ts"

export const statusCommand: CliCommand<"status"> = Command.make(
  "status",
  { ...configFlags, json: jsonFlag },
  Effect.fnUntraced(function* (input) {
    const { config } = yield* loadConfig(input)
    const print = (from: string) => (body: unknown) =>
      input.json ? Output.writeJson(body) : Output.writeLine(Output.pairs([["read from", from], ...rowsOf(body)]))
    const local = Effect.flatMap(History, (history) =>
      Effect.flatMap(history.status, (status) => print(config.storage.dataDir)(statusBody(status)))
    )
    yield* read(config, local, Effect.flatMap(Remote.status(config), print(Remote.urlOf(config))))
  })
).pipe(Command.withDescription("Print what is served and how things are; asks the daemon when it holds the store"))

/** The body, flattened to dotted names. What is a list is named by the names in it. */
const rowsOf = (body: unknown, prefix = ""): ReadonlyArray<readonly [string, string]> => {
  const below = (name: string): string => (prefix === "" ? name : `${prefix}.${name}`)
  if (Array.isArray(body)) return body.flatMap(({ name, ...rest }) => rowsOf(rest, below(name)))
  if (Predicate.isObject(body)) return Object.entries(body).flatMap(([name, value]) => rowsOf(value, below(name)))
  return [[prefix, body === null ? "none" : String(body)]]
}
