/**
 * A process of its own for the tests of locks, kills and full disks.
 *
 * `hold`: opens, drops every reference of its own, collects garbage, says so and stays. `write`: puts one numbered row a
 * batch, every tenth a synced one, and prints the number of each acknowledged synced write. `fill`: writes until a write
 * fails, prints that failure's tag, the next write's, and how many writes were acknowledged. `replace`: puts a few rows, replaces them
 * by many, says so in the middle and goes on when it is told anything, or after ten seconds, says that it is done and stays.
 */

import { Engine } from "@icecore/engine"
import { LiveDisk } from "@icecore/packfile/live"
import { Cause, Effect, Exit, Layer, Option, Stream } from "effect"

const [adapter, mode, path] = process.argv.slice(2) as [string, string, string]
const { layer } = adapter === "lmdb" ? await import("@icecore/engine/lmdb") : await import("@icecore/engine/sqlite")

const numberedKey = (number: number): Uint8Array => {
  const key = new Uint8Array(4)
  new DataView(key.buffer).setUint32(0, number)
  return key
}

const open = Effect.flatMap(Engine, (engine) => engine.open({ path, keyspaces: ["a"] }))

const hold = Effect.gen(function* () {
  yield* open
  for (let round = 0; round < 3; round++) {
    Bun.gc(true)
    yield* Effect.sleep(1)
  }
  console.log("open")
  return yield* Effect.never
})

const write = Effect.gen(function* () {
  const database = yield* open
  for (let number = 0; ; number++) {
    const durability = number % 10 === 9 ? "synced" : "buffered"
    const value = new Uint8Array(500).fill(number)
    yield* database.write((batch) => batch.put("a", numberedKey(number), value), { durability })
    if (durability === "synced") process.stdout.write(`${number}\n`)
  }
})

const tagOf = (exit: Exit.Exit<void, { readonly _tag: string }>): string =>
  Exit.isSuccess(exit)
    ? "none"
    : Option.match(Cause.findErrorOption(exit.cause), { onNone: () => "defect", onSome: ({ _tag }) => _tag })

const fill = Effect.gen(function* () {
  const database = yield* open
  const value = new Uint8Array(64 * 1024)
  for (let number = 0; number < 10_000; number++) {
    const put = database.write((batch) => batch.put("a", numberedKey(number), value))
    const exit = yield* Effect.exit(put)
    if (Exit.isSuccess(exit)) continue
    const first = yield* database.get("a", numberedKey(0))
    const next = yield* Effect.exit(put)
    console.log([tagOf(exit), tagOf(next), number, Option.isSome(first)].join(" "))
    return
  }
})

const told = Effect.callback<void>((resume) => {
  process.stdin.once("data", () => resume(Effect.void))
})

const replace = Effect.gen(function* () {
  const database = yield* open
  yield* database.write((batch) => {
    for (let number = 0; number < 3; number++) batch.put("a", numberedKey(number), Uint8Array.of(number))
  })
  const wait = Effect.andThen(
    Effect.sync(() => console.log("replacing")),
    Effect.timeoutOption(told, "10 seconds")
  )
  // More than LMDB's map has when it is opened: its readers must follow.
  const row = (number: number) => ({ key: numberedKey(number), value: new Uint8Array(50_000).fill(number) })
  const rows = Stream.concat(
    Stream.map(Stream.range(0, 99), row),
    Stream.concat(Stream.drain(Stream.fromEffect(wait)), Stream.map(Stream.range(100, 199), row))
  )
  yield* database.replace([{ keyspace: "a", range: {}, rows }])
  console.log("done")
  return yield* Effect.never
})

const programs = { hold, write, fill, replace }
const program = Effect.scoped(programs[mode as keyof typeof programs])
await Effect.runPromise(Effect.provide(program, Layer.provide(layer, LiveDisk.layer)))
