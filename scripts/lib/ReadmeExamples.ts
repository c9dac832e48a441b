/**
 * The TypeScript examples of a README: fenced blocks that start with exactly ```` ```ts ````. Each is a program of its own.
 * A block that shows only a part is fenced as ```` ```ts ignore ```` and is left alone.
 *
 * A comment `// => text` in an example says that the program prints the line `text`; all of them together, in order, are
 * what it prints.
 */

export interface Example {
  /** Number among the examples of its README, from 1. */
  readonly number: number
  /** Line of the README where the code starts, from 1. */
  readonly line: number
  readonly code: string
  /** What it must print, line by line; empty when it does not say. */
  readonly expectedLines: ReadonlyArray<string>
}

/** All examples of a README, in order. */
export const examplesOf = (readme: string): ReadonlyArray<Example> =>
  [...readme.matchAll(/^```ts[ \t]*\n([\s\S]*?)^```[ \t]*$/gm)].map((match, index) => ({
    number: index + 1,
    line: readme.slice(0, match.index).split("\n").length + 1,
    code: match[1]!,
    expectedLines: [...match[1]!.matchAll(/\/\/ => (.*)$/gm)].map((line) => line[1]!.trimEnd())
  }))

/** Why the output is not what the example says, or nothing when it is. */
export const outputFault = (example: Example, stdout: string): string | undefined => {
  if (example.expectedLines.length === 0) return undefined
  const expected = example.expectedLines.join("\n")
  const actual = stdout.replace(/\n$/, "")
  return actual === expected ? undefined : `printed\n${actual}\nexpected\n${expected}`
}
