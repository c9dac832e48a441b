/** `icecore archive` in real processes, for tests. */

import type { Effect } from "effect"
import { type Ended, expect } from "./Command.ts"

/** Runs `icecore archive` in a directory to its end, and asserts its exit status. */
export const archiveIn =
  (root: string) =>
  (status: number, args: ReadonlyArray<string>, input?: string | Uint8Array): Effect.Effect<Ended> =>
    expect(status, ["archive", ...args], input === undefined ? { cwd: root } : { cwd: root, input })

export const outputOf = ({ stdout }: Pick<Ended, "stdout">): string => stdout.toString()

/** The lines of an answer, without their line feeds. */
export const linesOf = (ended: Pick<Ended, "stdout">): ReadonlyArray<string> => outputOf(ended).trimEnd().split("\n")
