/**
 * What a store must serve, as far as one can tell from outside: plain numbers, and the arithmetic of retention done once more.
 *
 * A value is one moment. A crash goes back to the value that held before the operation that it came before.
 */

export interface ModelGeometry {
  readonly firstSeq: number
  readonly entriesPerChunk: number
  readonly chunksPerWindow: number
}

export interface ModelRetention {
  /** Complete chunks that are kept; 0: all. */
  readonly chunks: number
  /** Lowest seq ever kept. */
  readonly earliest: number
}

export interface LogModel {
  readonly geometry: ModelGeometry
  /** With which the store was opened last. */
  readonly retention: ModelRetention
  /** The seq behind the last acknowledged entry. */
  readonly acknowledged: number
  /** The seq behind the last entry that was ever offered and may have become durable. */
  readonly attempted: number
  /** The floor may be no higher: from it on everything was kept. */
  readonly highestFloor: number
  /** Everything that retention asks for has been filled in, so that the floor comes to be where retention says. */
  readonly isWhole: boolean
  /** The floor may be no lower: what lies below was pruned, and only widening brings it back. */
  readonly lowestFloor: number
}

/** First seq that retention keeps when the log goes on at `nextSeq`. */
export const wantedFloor = (
  { firstSeq, entriesPerChunk }: ModelGeometry,
  { chunks, earliest }: ModelRetention,
  nextSeq: number
): number => {
  const completeCount = Math.floor((nextSeq - firstSeq) / entriesPerChunk)
  const keptFrom = chunks === 0 ? 0 : Math.max(0, completeCount - chunks)
  return Math.max(firstSeq + keptFrom * entriesPerChunk, earliest)
}

/** Entries up to before `attempted` are offered: they may survive a crash, and move the floor. */
export const offering = (model: LogModel, attempted: number): LogModel => ({
  ...model,
  attempted: Math.max(model.attempted, attempted),
  highestFloor: Math.max(model.highestFloor, wantedFloor(model.geometry, model.retention, attempted))
})

/** All entries before `nextSeq` are durable, and nothing behind them is. */
export const acknowledging = (model: LogModel, nextSeq: number): LogModel => ({
  ...model,
  acknowledged: nextSeq,
  attempted: nextSeq
})

/** The store is about to be opened with this retention. */
export const retaining = (model: LogModel, retention: ModelRetention): LogModel => {
  const wanted = wantedFloor(model.geometry, retention, model.attempted)
  return {
    ...model,
    retention,
    isWhole: model.isWhole && wanted >= wantedFloor(model.geometry, model.retention, model.acknowledged),
    highestFloor: Math.max(model.highestFloor, wanted),
    lowestFloor: Math.min(model.lowestFloor, wantedFloor(model.geometry, retention, model.acknowledged))
  }
}

/** A source that can be read again and has everything was ingested. */
export const filling = (model: LogModel): LogModel => ({ ...model, isWhole: true })

/** The store serves from this floor on; both bounds close in on it. */
export const observing = (model: LogModel, floor: number): LogModel => ({
  ...model,
  lowestFloor: Math.max(
    model.lowestFloor,
    Math.min(floor, wantedFloor(model.geometry, model.retention, model.acknowledged))
  ),
  highestFloor: Math.max(floor, wantedFloor(model.geometry, model.retention, model.attempted))
})
