/**
 * How a read was answered: which tiers were asked, in their order, and what each said.
 */
import { Option, Schema } from "effect"
import { Hex } from "effect/encoding"

/** What was asked for. */
export type ExplainRequest = { readonly seq: number } | { readonly key: Uint8Array }

/**
 * Where was looked: `hot` a hot database, `run` the keys of one frozen chunk, `index` the keys of the chunks of a window,
 * `pack` the entries of a frozen chunk, `bounds` the served range, which needs no look.
 */
export type ExplainTier = "bounds" | "hot" | "run" | "index" | "pack"

/**
 * `answered`: the entry is there and is the one. `candidate`: an entry that may have the key, named by 16 of its bytes or fewer.
 * `no candidate`: nothing there has the key. `false positive`: the candidate was read and does not have it. `below floor`, `not
 * served yet`: the entry is outside of what is served, and does not count.
 */
export type ExplainOutcome =
  | "answered"
  | "candidate"
  | "no candidate"
  | "false positive"
  | "below floor"
  | "not served yet"

export interface ExplainStep {
  readonly tier: ExplainTier
  /** What was asked, for people, without a path: `key index of window 0, chunks 0 to 9`. */
  readonly name: string
  /** The file or database; none for the served range. Not for clients over a network. */
  readonly path: Option.Option<string>
  readonly outcome: ExplainOutcome
  /** Why it was asked, or what its answer rests on, as a clause. */
  readonly reason: string
  /** The entry that the outcome is about. */
  readonly seq: Option.Option<number>
  /** Look-ups made in the file or database: 0 when something in memory answered for it. */
  readonly readCount: number
}

export interface Explanation {
  readonly request: ExplainRequest
  /** The entry that answers; none when there is none in the served range. */
  readonly answer: Option.Option<{ readonly seq: number; readonly sizeBytes: number }>
  /** Lowest seq that was served, inclusive. */
  readonly floor: number
  /** Highest seq that was served, inclusive; one below the floor while nothing is. */
  readonly latest: number
  /** In the order in which they were made. */
  readonly steps: ReadonlyArray<ExplainStep>
}

/** Look-ups of all steps. */
export const readCountOf = ({ steps }: Explanation): number => steps.reduce((sum, step) => sum + step.readCount, 0)

/** Entries that were read and did not have the key. */
export const falsePositiveCountOf = ({ steps }: Explanation): number =>
  steps.filter(({ outcome }) => outcome === "false positive").length

/** An explanation as programs read it. */
export interface ExplanationJson {
  readonly request: { readonly seq: number } | { readonly key: string }
  readonly answer: { readonly seq: number; readonly sizeBytes: number } | null
  readonly served: { readonly floor: number; readonly latest: number } | null
  readonly readCount: number
  readonly falsePositiveCount: number
  readonly steps: ReadonlyArray<{
    readonly tier: string
    readonly name: string
    readonly outcome: string
    readonly reason: string
    readonly readCount: number
    readonly seq?: number
    readonly path?: string
  }>
}

/** Reads what {@link toJson} made. */
export const ExplanationJson: Schema.Codec<ExplanationJson> = Schema.Struct({
  request: Schema.Union([Schema.Struct({ seq: Schema.Int }), Schema.Struct({ key: Schema.String })]),
  answer: Schema.NullOr(Schema.Struct({ seq: Schema.Int, sizeBytes: Schema.Int })),
  served: Schema.NullOr(Schema.Struct({ floor: Schema.Int, latest: Schema.Int })),
  readCount: Schema.Int,
  falsePositiveCount: Schema.Int,
  steps: Schema.Array(
    Schema.Struct({
      tier: Schema.String,
      name: Schema.String,
      outcome: Schema.String,
      reason: Schema.String,
      readCount: Schema.Int,
      seq: Schema.optionalKey(Schema.Int),
      path: Schema.optionalKey(Schema.String)
    })
  )
})

/** The explanation for programs. `paths` says whether files and databases are named by their paths, too. */
export const toJson = (explanation: Explanation, options: { readonly paths: boolean }): ExplanationJson => {
  const { request, answer, floor, latest, steps } = explanation
  return {
    request: "key" in request ? { key: Hex.encode(request.key) } : { seq: request.seq },
    answer: Option.getOrNull(answer),
    served: latest < floor ? null : { floor, latest },
    readCount: readCountOf(explanation),
    falsePositiveCount: falsePositiveCountOf(explanation),
    steps: steps.map(({ path, seq, ...step }) => ({
      ...step,
      ...(Option.isSome(seq) ? { seq: seq.value } : {}),
      ...(options.paths && Option.isSome(path) ? { path: path.value } : {})
    }))
  }
}

/** The explanation for people: a line a step, then the answer. */
export const toText = (explanation: ExplanationJson): string => {
  const { request, answer, steps, readCount, falsePositiveCount } = explanation
  const lines = steps.map(({ name, path, outcome, seq, reason }, index) => {
    const place = path === undefined ? name : `${name} at ${path}`
    return `${index + 1}. ${place}: ${outcome}${seq === undefined ? "" : ` (entry ${seq})`}; ${reason}`
  })
  const what = "key" in request ? `key 0x${request.key}` : `entry ${request.seq}`
  const result = answer === null ? "not found" : `entry ${answer.seq}, ${answer.sizeBytes} bytes`
  return [...lines, `${what}: ${result}; reads ${readCount}, false positives ${falsePositiveCount}`].join("\n")
}
