/** The codecs of a program by name: made once, when the layer is built, and never changed after. */
import { Context, Data, Effect, Layer } from "effect"
import * as RecordCodec from "./RecordCodec.ts"
import type { Struct } from "./RecordShape.ts"

export interface Registration {
  readonly name: string
  readonly shape: Struct
  /** As of {@link RecordCodec.CodecOptions}. */
  readonly version?: number
}

/** A registration came after the registry was built. */
export class CodecRegistryFrozen extends Data.Error<{ readonly codec: string }> {
  readonly _tag = "CodecRegistryFrozen"
  override readonly name = "CodecRegistryFrozen"
  override get message(): string {
    return `Cannot register codec ${this.codec}: the registry is built, expected all registrations before`
  }
}

/** Two registrations have one name. */
export class CodecDuplicate extends Data.Error<{ readonly codec: string }> {
  readonly _tag = "CodecDuplicate"
  override readonly name = "CodecDuplicate"
  override get message(): string {
    return `Cannot register codec ${this.codec}: there is one of that name`
  }
}

/** No codec of that name was registered. */
export class CodecUnknown extends Data.Error<{ readonly codec: string; readonly known: ReadonlyArray<string> }> {
  readonly _tag = "CodecUnknown"
  override readonly name = "CodecUnknown"
  override get message(): string {
    return `Cannot find codec ${this.codec}: known are ${this.known.join(", ") || "none"}`
  }
}

export interface CodecRegistry {
  /** In order of registration. */
  readonly names: ReadonlyArray<string>
  readonly get: <A = Record<string, unknown>>(name: string) => Effect.Effect<RecordCodec.RecordCodec<A>, CodecUnknown>
}

export const CodecRegistry: Context.Service<CodecRegistry, CodecRegistry> =
  Context.Service("@icecore/codec/CodecRegistry")

/** Adds a codec to the registry that is being built; fails once it is. */
export type Register = (registration: Registration) => Effect.Effect<void, CodecDuplicate | CodecRegistryFrozen>

/** The registry of what `build` registers; it is frozen when `build` has completed. A bad shape is a defect. */
export const make = <E, R>(
  build: (register: Register) => Effect.Effect<void, E, R>
): Effect.Effect<CodecRegistry, E, R> =>
  Effect.suspend(() => {
    const codecs = new Map<string, RecordCodec.RecordCodec<Record<string, unknown>>>()
    let frozen = false
    const register: Register = ({ name, shape, version }) =>
      Effect.suspend((): Effect.Effect<void, CodecDuplicate | CodecRegistryFrozen> => {
        if (frozen) return Effect.fail(new CodecRegistryFrozen({ codec: name }))
        if (codecs.has(name)) return Effect.fail(new CodecDuplicate({ codec: name }))
        codecs.set(name, RecordCodec.make(shape, version === undefined ? {} : { version }))
        return Effect.void
      })
    return Effect.map(build(register), (): CodecRegistry => {
      frozen = true
      const names = [...codecs.keys()]
      const get = <A>(name: string): Effect.Effect<RecordCodec.RecordCodec<A>, CodecUnknown> => {
        const codec = codecs.get(name)
        return codec === undefined
          ? Effect.fail(new CodecUnknown({ codec: name, known: names }))
          : Effect.succeed(codec as unknown as RecordCodec.RecordCodec<A>)
      }
      return { names, get }
    })
  })

/** {@link make} as a layer. */
export const layerBuild = <E, R>(
  build: (register: Register) => Effect.Effect<void, E, R>
): Layer.Layer<CodecRegistry, E, R> => Layer.effect(CodecRegistry, make(build))

/** The registry of exactly these codecs. */
export const layer = (registrations: ReadonlyArray<Registration>): Layer.Layer<CodecRegistry, CodecDuplicate> =>
  layerBuild((register) =>
    Effect.gen(function* () {
      for (const registration of registrations) {
        yield* Effect.catchTag(register(registration), "CodecRegistryFrozen", Effect.die)
      }
    })
  )
