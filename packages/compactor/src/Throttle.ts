/**
 * Makes long work give way: to a rate, and to readers.
 *
 * Work that is done in bounded steps passes the throttle after each of them.
 *
 * - Rate: a token bucket of bytes, of one {@link burstBytes}; a step that takes out more than there is waits until it is paid.
 * - Readers: the event loop gets a turn, then the step waits while calls of watched readers are in flight, up to `maxPauseMillis`. A call
 *   that takes longer holds up one step only.
 */
import type { RecordReader } from "@icecore/engine"
import { Clock, Effect, Stream } from "effect"

/** Bytes that pass at once after a rest: a step of a replacement. */
export const burstBytes: number = 256 * 1024

/** Pause for readers at most, after each step, by default. */
export const defaultMaxPauseMillis = 100

export interface ThrottleOptions {
  /** Bytes written in a second at most, by all calls together. Above 0. Default: no bound. */
  readonly bytesPerSecond?: number
  /** Default true. */
  readonly pauseForReaders?: boolean
  /** After each step, in milliseconds, from 0. Default 100. Readers that never rest slow the work down and cannot stop it. */
  readonly maxPauseMillis?: number
}

export interface Throttle {
  /** Returns when the next step may begin, after one that wrote so many bytes. May be interrupted. */
  readonly pass: (bytes: number) => Effect.Effect<void>
  /** The same reader; the throttle knows of its calls in flight. Of a stream only while it reads, not while its consumer works. */
  readonly watch: (reader: RecordReader.RecordReader) => RecordReader.RecordReader
}

/** A throttle for any number of fibers. Options out of bounds are a bug of the program: this throws. */
export const make = (options: ThrottleOptions = {}): Throttle => {
  const {
    bytesPerSecond = Number.POSITIVE_INFINITY,
    maxPauseMillis = defaultMaxPauseMillis,
    pauseForReaders = true
  } = options
  if (!(bytesPerSecond > 0)) throw new RangeError(`bytesPerSecond is ${bytesPerSecond}, expected more than 0`)
  if (!(maxPauseMillis >= 0)) throw new RangeError(`maxPauseMillis is ${maxPauseMillis}, expected 0 or more`)
  const pay = makeRate(bytesPerSecond)
  const readers = makeReaders(maxPauseMillis)
  const giveWay = pauseForReaders ? Effect.andThen(Effect.yieldNow, readers.rest) : Effect.void
  return { pass: (bytes) => Effect.andThen(pay(bytes), giveWay), watch: readers.watch }
}

/** Waits until what was passed is paid for. */
const makeRate = (bytesPerSecond: number): ((bytes: number) => Effect.Effect<void>) => {
  if (bytesPerSecond === Number.POSITIVE_INFINITY) return () => Effect.void
  const burstMillis = (burstBytes / bytesPerSecond) * 1_000
  /** When all that was passed is paid. */
  let paidAtMillis = Number.NEGATIVE_INFINITY
  return (bytes) =>
    Effect.flatMap(Clock.currentTimeMillis, (nowMillis) => {
      paidAtMillis = Math.max(paidAtMillis, nowMillis - burstMillis) + (bytes / bytesPerSecond) * 1_000
      return paidAtMillis > nowMillis ? Effect.sleep(paidAtMillis - nowMillis) : Effect.void
    })
}

interface Readers {
  /** Returns when no call is in flight, or after the pause. */
  readonly rest: Effect.Effect<void>
  readonly watch: Throttle["watch"]
}

/** A call in flight. One that outlasted a pause is waited for no more: it may be long, or itself wait for the work to end. */
interface Call {
  isWaitedOut: boolean
}

const makeReaders = (maxPauseMillis: number): Readers => {
  const inFlight = new Set<Call>()
  const waiting = new Set<() => void>()
  const isIdle = (): boolean => {
    for (const { isWaitedOut } of inFlight) if (!isWaitedOut) return false
    return true
  }
  const leave = (call: Call): void => {
    inFlight.delete(call)
    if (waiting.size === 0 || !isIdle()) return
    for (const wake of waiting) wake()
    waiting.clear()
  }
  const counted = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.suspend(() => {
      const call: Call = { isWaitedOut: false }
      inFlight.add(call)
      return Effect.ensuring(
        effect,
        Effect.sync(() => leave(call))
      )
    })
  const idle = Effect.callback<void>((resume) => {
    const wake = () => resume(Effect.void)
    waiting.add(wake)
    return Effect.sync(() => waiting.delete(wake))
  })
  const waitOut = Effect.sync(() => {
    for (const call of inFlight) call.isWaitedOut = true
  })
  const pause = Effect.timeoutOrElse(idle, { duration: maxPauseMillis, orElse: () => waitOut })
  return {
    rest: Effect.suspend(() => (isIdle() ? Effect.void : pause)),
    watch: (reader) => ({
      ...reader,
      get: (type, key, options) => counted(reader.get(type, key, options)),
      getMany: (type, keys, options) => counted(reader.getMany(type, keys, options)),
      list: (type, options) => counted(reader.list(type, options)),
      stream: (type, options) =>
        Stream.transformPull(reader.stream(type, options), (pull) => Effect.succeed(counted(pull))),
      listSyncs: counted(reader.listSyncs),
      getSync: (sync) => counted(reader.getSync(sync)),
      latestFinishedSync: (syncType) => counted(reader.latestFinishedSync(syncType)),
      stats: (options) => counted(reader.stats(options)),
      check: (options) => counted(reader.check(options))
    })
  }
}
