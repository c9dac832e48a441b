/**
 * What the commands print: standard output is for answers, standard error for progress and for the one line of a failure.
 */
import { Effect, type PlatformError, Stdio, Stream } from "effect"

/** Writes bytes or text to standard output and waits until they are taken. */
export const write = (output: string | Uint8Array): Effect.Effect<void, PlatformError.PlatformError, Stdio.Stdio> =>
  writeAll(Stream.succeed(output))

/** Writes a stream to standard output, no faster than it is taken. */
export const writeAll = <E, R>(
  output: Stream.Stream<string | Uint8Array, E, R>
): Effect.Effect<void, E | PlatformError.PlatformError, R | Stdio.Stdio> =>
  Effect.flatMap(Stdio.Stdio, (stdio) => Stream.run(output, stdio.stdout({ endOnDone: false })))

/** Writes text to standard error. */
export const writeError = (text: string): Effect.Effect<void, PlatformError.PlatformError, Stdio.Stdio> =>
  Effect.flatMap(Stdio.Stdio, (stdio) => Stream.run(Stream.succeed(text), stdio.stderr({ endOnDone: false })))

/** A line for people. */
export const writeLine = (line: string): Effect.Effect<void, PlatformError.PlatformError, Stdio.Stdio> =>
  write(`${line}\n`)

/** A value for programs: JSON on one line. */
export const writeJson = (value: unknown): Effect.Effect<void, PlatformError.PlatformError, Stdio.Stdio> =>
  write(`${JSON.stringify(value)}\n`)

/** Two columns, the second one aligned. */
export const pairs = (rows: ReadonlyArray<readonly [string, string]>): string => {
  const width = Math.max(0, ...rows.map(([name]) => name.length))
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`).join("\n")
}

const binaryUnits = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"]

/** A size for people: `1.5 MiB`. */
export const formatBytes = (bytes: number): string => {
  let value = bytes
  let unit = 0
  while (value >= 1024 && unit < binaryUnits.length - 1) {
    value /= 1024
    unit++
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${binaryUnits[unit]}`
}

/** A count for people: `5,000,000`. */
export const formatCount = (count: number): string => Math.round(count).toLocaleString("en-US")

/** A duration for people: `1h 02m`, `3m 20s`, `12s`. */
export const formatSeconds = (seconds: number): string => {
  const whole = Math.max(0, Math.round(seconds))
  const two = (value: number): string => String(value).padStart(2, "0")
  if (whole >= 3_600) return `${Math.floor(whole / 3_600)}h ${two(Math.floor((whole % 3_600) / 60))}m`
  if (whole >= 60) return `${Math.floor(whole / 60)}m ${two(whole % 60)}s`
  return `${whole}s`
}
