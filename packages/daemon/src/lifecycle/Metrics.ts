/** What the lifecycle and backfills count, for whoever reads Effect's metrics. */
import { type Duration, Effect, Metric } from "effect"

/** Chunks whose files were written and frozen by this process. */
export const chunkBuilds: Metric.Counter<number> = Metric.counter("icecore_chunk_builds_total", {
  description: "Chunks frozen",
  incremental: true
})

/** Key runs that were derived again from frozen entries, because a finished window's index had to grow. */
export const runRebuilds: Metric.Counter<number> = Metric.counter("icecore_run_rebuilds_total", {
  description: "Key runs derived again",
  incremental: true
})

/** Milliseconds from the first byte of a chunk's files to their being frozen. */
export const chunkBuildDuration: Metric.Histogram<Duration.Duration> = Metric.timer("icecore_chunk_build_duration", {
  description: "Time to freeze a chunk"
})

/** Key indexes that were built and frozen by this process. */
export const indexBuilds: Metric.Counter<number> = Metric.counter("icecore_index_builds_total", {
  description: "Key indexes built",
  incremental: true
})

export const indexBuildDuration: Metric.Histogram<Duration.Duration> = Metric.timer("icecore_index_build_duration", {
  description: "Time to build a key index"
})

/** Complete chunks that wait for their freeze. */
export const backlog: Metric.Gauge<number> = Metric.gauge("icecore_freeze_backlog_chunks", {
  description: "Complete chunks that are not frozen"
})

/** Keys of the catalog that retention demoted. */
export const prunedArtifacts: Metric.Counter<number> = Metric.counter("icecore_pruned_artifacts_total", {
  description: "Artifacts demoted because they lie below the floor or their window is finished",
  incremental: true
})

export const discardedHot: Metric.Counter<number> = Metric.counter("icecore_discarded_hot_databases_total", {
  description: "Hot databases removed",
  incremental: true
})

const stageDuration: Metric.Histogram<Duration.Duration> = Metric.timer("icecore_lifecycle_stage_duration", {
  description: "Time of one stage of a lifecycle run"
})

const stageFailures: Metric.Counter<number> = Metric.counter("icecore_lifecycle_stage_failures_total", {
  description: "Failed stages of lifecycle runs",
  incremental: true
})

/** One stage of one run is over. */
export const stageEnded = (stage: string, duration: Duration.Duration, isSuccess: boolean): Effect.Effect<void> =>
  Effect.andThen(
    Metric.update(Metric.withAttributes(stageDuration, { stage }), duration),
    isSuccess ? Effect.void : Metric.update(Metric.withAttributes(stageFailures, { stage }), 1)
  )
