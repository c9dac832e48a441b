/**
 * Runs a study, size by size, and gives what it has after each, so that a failure at a large size loses no others.
 */
import { loadavg } from "node:os"
import { Clock, Effect, FileSystem, Stream } from "effect"
import { thisMachine } from "./Machine.ts"
import { median } from "./Measure.ts"
import type { Sample, Study } from "./Study.ts"
import type { StudyPoint, StudyReport } from "./StudyReport.ts"

export interface StudyOptions {
  /** Rounds of each size, 1 or more: in each the series take turns, so that a slow minute of the machine meets all of them. */
  readonly rounds: number
  readonly isQuick: boolean
  /** Sizes above it are left out. Default: none. */
  readonly maxSize?: number
  /** Where inputs are made: on the disk that is to be measured. Default: the system's temporary directory. */
  readonly workDirectory?: string
}

/** The report so far, after each size. Fails with whatever a series fails with. */
export const run = (study: Study, options: StudyOptions): Stream.Stream<StudyReport, unknown, FileSystem.FileSystem> =>
  Stream.unwrap(
    Effect.map(Clock.currentTimeMillis, (startedAtMillis) => {
      const { isQuick, maxSize = Number.POSITIVE_INFINITY, rounds } = options
      const sizes = (isQuick ? study.quickSizes : study.sizes).filter((size) => size <= maxSize)
      const points = study.series.map((): Array<StudyPoint> => [])
      const loads: Array<number> = []
      return Stream.mapEffect(
        Stream.fromIterable(sizes),
        Effect.fnUntraced(function* (size) {
          const samples = yield* samplesOf(study, size, { ...options, onRound: () => loads.push(loadavg()[0]!) })
          for (const [index, taken] of samples.entries()) points[index]!.push({ size, ...pointOf(taken) })
          const report: StudyReport = {
            version: 1,
            name: study.name,
            startedAtMillis,
            machine: thisMachine(),
            isQuick,
            rounds,
            load: { low: Math.min(...loads), high: Math.max(...loads) },
            series: study.series.map((series, index) => ({ ...series, points: [...points[index]!] }))
          }
          return report
        })
      )
    })
  )

/** The samples of each series at a size. */
const samplesOf: (
  study: Study,
  size: number,
  options: StudyOptions & { readonly onRound: () => void }
) => Effect.Effect<ReadonlyArray<ReadonlyArray<Sample>>, unknown, FileSystem.FileSystem> = Effect.fnUntraced(function* (
  study,
  size,
  { isQuick, onRound, rounds, workDirectory }
) {
  const files = yield* FileSystem.FileSystem
  const directory = yield* files.makeTempDirectoryScoped({
    prefix: "icecore-study-",
    ...(workDirectory === undefined ? {} : { directory: workDirectory })
  })
  const series = yield* study.setup({ size, isQuick, directory })
  const samples = series.map((): Array<Sample> => [])
  for (let round = 0; round < rounds; round++) {
    onRound()
    for (let turn = 0; turn < series.length; turn++) {
      const index = (round + turn) % series.length
      samples[index]!.push(yield* series[index]!)
    }
  }
  return samples
}, Effect.scoped)

const pointOf = (samples: ReadonlyArray<Sample>): Sample => ({
  seconds: median(samples.map(({ seconds }) => seconds)),
  peakBytes: Math.max(...samples.map(({ peakBytes }) => peakBytes)),
  ownPeakBytes: Math.max(...samples.map(({ ownPeakBytes }) => ownPeakBytes))
})
