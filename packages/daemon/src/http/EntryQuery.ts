/**
 * The path and query of `GET /v1/entries/{seq}` and `GET /v1/keys/{hex}`, checked.
 */
import { Option, Result } from "effect"
import { Hex } from "effect/encoding"
import { badRequest, type Problem } from "./Problem.ts"

export interface EntryQuery {
  /** Whether the answer is to say which tiers were asked, instead of giving the entry. */
  readonly isExplained: boolean
}

/** A key as a path writes it: 64 hexadecimal digits, with or without `0x`. */
export const parseKey = (text: string): Option.Option<Uint8Array> =>
  /^(0x)?[0-9a-fA-F]{64}$/.test(text) ? Result.getSuccess(Hex.decode(text.slice(-64).toLowerCase())) : Option.none()

/** Reads the parameters: only `explain`, bare or `true` or `false`. */
export const parse = (
  params: Readonly<Record<string, string | ReadonlyArray<string> | undefined>>
): Result.Result<EntryQuery, Problem> => {
  for (const name of Object.keys(params))
    if (name !== "explain") return fail(`There is no parameter ${JSON.stringify(name.slice(0, 40))}; known is explain`)
  const value = params.explain
  if (value === undefined || value === "false") return Result.succeed({ isExplained: false })
  return value === "" || value === "true"
    ? Result.succeed({ isExplained: true })
    : fail("Parameter explain must be given once, without a value, or be true or false")
}

const fail = (message: string): Result.Result<never, Problem> => Result.fail(badRequest(message))
