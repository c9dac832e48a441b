/** The survivor choices that the enumerator goes through at each crash point, and the generator behind them. */
import type { SurvivorPolicy, SurvivorRandom } from "./CrashWorld.ts"

/** `killed`: the process dies and the machine does not, so that nothing is lost and nothing is synced by it. */
export type CrashKind = SurvivorPolicy | "killed"

/** One way to crash: what happens, and the seed of its random part. */
export interface SurvivorChoice {
  readonly kind: CrashKind
  readonly seed: number
}

/** One choice of each kind comes first. */
const kinds: ReadonlyArray<CrashKind> = [
  "killed",
  "lost",
  "kept",
  "zeros",
  "nameless",
  "sizeless",
  "last",
  "torn",
  "prefix"
]

/** From here on the choices have no end; every fourth is a prefix, every fourth torn, the others are random. */
const endless: ReadonlyArray<SurvivorPolicy> = ["random", "prefix", "random", "torn"]

/** The choice with this number, 0 and up, of an enumeration with this seed. */
export const choiceAt = (seed: number, index: number): SurvivorChoice => ({
  kind: kinds[index] ?? endless[(index - kinds.length) % endless.length]!,
  seed: mix(seed, index)
})

/** The numbers of a choice. `killed` has none: its states are restored as they are. */
export const survivorRandom = (policy: SurvivorPolicy, seed: number): SurvivorRandom => {
  const next = generator(seed)
  const nextInt = (bound: number): number => {
    if (policy === "lost") return 0
    return policy === "kept" ? bound - 1 : Math.floor((next() / 0x1_0000_0000) * bound)
  }
  return { policy, nextInt }
}

/** Uniform 32-bit numbers: a Weyl sequence through the finalizer of MurmurHash3. */
export const generator = (seed: number): (() => number) => {
  let state = seed >>> 0
  return () => {
    state = (state + 0x9e3779b9) >>> 0
    return finalize(state)
  }
}

/** A seed for the `index`-th thing of something with a seed. */
export const mix = (seed: number, index: number): number => finalize((seed ^ finalize(index + 0x7f4a7c15)) >>> 0)

const finalize = (value: number): number => {
  let hash = value
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
