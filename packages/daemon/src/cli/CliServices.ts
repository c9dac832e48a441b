/**
 * What the commands may use of the world, provided once by {@link import("./Main.ts")}.
 */
import type { FileSystem, Stdio, Terminal } from "effect"
import type { Command } from "effect/cli"

export type CliServices = FileSystem.FileSystem | Stdio.Stdio | Terminal.Terminal

/** A command of ours. Its errors are reported in one place, by their messages, so their types end here. */
// biome-ignore lint/suspicious/noExplicitAny: a command is invariant in its input, which nobody but the command itself reads.
// biome-ignore lint/complexity/noBannedTypes: `{}` is how the library writes that a command passes nothing on.
export type CliCommand<Name extends string> = Command.Command<Name, any, {}, unknown, CliServices>
