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

/** The body, flattened to dotted names, without what says the same twice. */
export const rowsOf = (body: unknown): ReadonlyArray<readonly [string, string]> => {
  // What the lifecycle does as a whole, its stages say one by one.
  if (!Predicate.isObject(body) || !("freezing" in body)) return flatten(body, "")
  const { freezing: _, ...rest } = body
  return flatten(rest, "")
}

/** What is a list is named by the names in it; what has a state is one row, with the problem behind the state. */
const flatten = (value: unknown, name: string): ReadonlyArray<readonly [string, string]> => {
  const below = (part: string): string => (name === "" ? part : `${name}.${part}`)
  if (Array.isArray(value)) return value.flatMap(({ name: part, ...rest }) => flatten(rest, below(part)))
  if (!Predicate.isObject(value)) return [[name, value === null ? "none" : String(value)]]
  if ("state" in value && "problem" in value)
    return [[name, value.problem === null ? String(value.state) : `${value.state}: ${value.problem}`]]
  return Object.entries(value).flatMap(([part, each]) =>
    part === "problem" && each === null ? [] : flatten(each, below(part))
  )
}
