/**
 * MessagePack into a buffer, in the one form of each value that `format/RecordFormat.ts` names: msgpackr's.
 *
 * A writer either grows its own buffer or stays within one that it is lent. It throws {@link refused} for values that have no
 * form and {@link noRoom} at the end of a lent buffer: both are made once and carry nothing, since who catches them knows.
 */
import * as Format from "../format/RecordFormat.ts"
import * as Utf8 from "./Utf8.ts"

/** Thrown for a value that cannot be written. */
export const refused: Error = new Error("MessagePackWriter: the value has no form")

/** Thrown when a lent buffer is full. */
export const noRoom: Error = new Error("MessagePackWriter: the buffer is full")

const initialSizeBytes = 4_096

/** An own buffer larger than this is given up after the record that needed it. */
const keptSizeBytes = 1_048_576

/** Strings up to this many units are written here, longer ones by the runtime. */
const shortLength = 96

const float = new Float64Array(1)
const floatBytes = new Uint8Array(float.buffer)
const canonicalNan = Uint8Array.of(0x7f, 0xf8, 0, 0, 0, 0, 0, 0)
const maxInt64 = 0x7fff_ffff_ffff_ffffn

export class MessagePackWriter {
  target: Uint8Array = new Uint8Array(0)
  at = 0
  private own: Uint8Array = new Uint8Array(0)
  private lent = false
  private readonly ancestors: Array<unknown> = []

  /** Starts over in the writer's own buffer, which grows. */
  startOwn(): void {
    if (this.own.length === 0 || this.own.length > keptSizeBytes) this.own = new Uint8Array(initialSizeBytes)
    this.target = this.own
    this.at = 0
    this.lent = false
  }

  /** Starts over at `at` of a lent buffer. */
  startLent(target: Uint8Array, at: number): void {
    this.target = target
    this.at = at
    this.lent = true
  }

  /** Has `sizeBytes` more bytes at `at`, or throws {@link noRoom}. */
  room(sizeBytes: number): void {
    if (this.at + sizeBytes > this.target.length) this.grow(sizeBytes)
  }

  private grow(sizeBytes: number): void {
    if (this.lent) throw noRoom
    const grown = new Uint8Array(Math.max(this.target.length * 2, this.at + sizeBytes))
    grown.set(this.target.subarray(0, this.at))
    this.own = grown
    this.target = grown
  }

  nil(): void {
    this.byte(Format.nilByte)
  }

  boolean(value: boolean): void {
    this.byte(value ? Format.trueByte : Format.falseByte)
  }

  /** Any float; NaN in its one form and −0 as 0. */
  number(value: number): void {
    if (value >= -0x8000_0000 && value <= 0xffff_ffff && Math.trunc(value) === value) this.int32(value)
    else this.float(value)
  }

  private int32(value: number): void {
    if (value >= 0) {
      if (value < 0x80) this.byte(value)
      else if (value < 0x100) this.tagged(Format.uint8Byte, value, 1)
      else if (value < 0x1_0000) this.tagged(Format.uint16Byte, value, 2)
      else this.tagged(Format.uint32Byte, value, 4)
    } else if (value >= -0x20) this.byte(value & 0xff)
    else if (value >= -0x80) this.tagged(Format.int8Byte, value, 1)
    else if (value >= -0x8000) this.tagged(Format.int16Byte, value, 2)
    else this.tagged(Format.int32Byte, value, 4)
  }

  private float(value: number): void {
    this.room(9)
    const { target, at } = this
    target[at] = Format.float64Byte
    this.at = at + 9
    if (Number.isNaN(value)) {
      target.set(canonicalNan, at + 1)
      return
    }
    float[0] = value
    for (let index = 0; index < 8; index++) target[at + 1 + index] = floatBytes[littleEndian ? 7 - index : index]!
  }

  /** A signed 64-bit integer, always in nine bytes. */
  bigint(value: bigint): void {
    if (value > maxInt64 || value < -maxInt64 - 1n) throw refused
    this.room(9)
    this.byte(Format.int64Byte)
    this.unsigned(Number((value >> 32n) & 0xffff_ffffn), 4)
    this.unsigned(Number(value & 0xffff_ffffn), 4)
  }

  /** PERF: a loop over up to 96 units takes half of what a call of the runtime does. */
  string(value: string): void {
    const length = value.length
    if (length <= shortLength) {
      const start = this.at
      const head = length < 32 ? 1 : 2
      if (start + head + length <= this.target.length) {
        const target = this.target
        let at = start + head
        let index = 0
        for (; index < length; index++) {
          const unit = value.charCodeAt(index)
          if (unit >= 0x80) break
          target[at++] = unit
        }
        if (index === length) {
          if (head === 1) target[start] = Format.fixStrByte | length
          else {
            target[start] = Format.str8Byte
            target[start + 1] = length
          }
          this.at = at
          return
        }
      }
    }
    this.anyString(value)
  }

  private anyString(value: string): void {
    if (!value.isWellFormed()) throw refused
    const size = Utf8.sizeBytes(value)
    this.room(size + stringHeadSizeBytes(size))
    if (size < 32) this.byte(Format.fixStrByte | size)
    else if (size < 0x100) this.tagged(Format.str8Byte, size, 1)
    else if (size < 0x1_0000) this.tagged(Format.str16Byte, size, 2)
    else this.tagged(Format.str32Byte, size, 4)
    Utf8.encodeInto(value, this.target, this.at, size)
    this.at += size
  }

  bytes(value: Uint8Array): void {
    const size = value.length
    this.room(size + (size < 0x100 ? 2 : size < 0x1_0000 ? 3 : 5))
    if (size < 0x100) this.tagged(Format.bin8Byte, size, 1)
    else if (size < 0x1_0000) this.tagged(Format.bin16Byte, size, 2)
    else this.tagged(Format.bin32Byte, size, 4)
    this.target.set(value, this.at)
    this.at += size
  }

  /** Bytes that are MessagePack already. */
  raw(value: Uint8Array): void {
    this.room(value.length)
    this.target.set(value, this.at)
    this.at += value.length
  }

  arrayHead(count: number): void {
    if (count < 16) this.byte(Format.fixArrayByte | count)
    else if (count < 0x1_0000) this.tagged(Format.array16Byte, count, 2)
    else this.tagged(Format.array32Byte, count, 4)
  }

  mapHead(count: number): void {
    if (count < 16) this.byte(Format.fixMapByte | count)
    else if (count < 0x1_0000) this.tagged(Format.map16Byte, count, 2)
    else this.tagged(Format.map32Byte, count, 4)
  }

  /** Any JSON value; refuses one that contains itself or is deeper than `Format.maxDepth`. */
  json(value: unknown): void {
    this.ancestors.length = 0
    this.jsonValue(value)
  }

  private jsonValue(value: unknown): void {
    if (value === null) this.nil()
    else if (typeof value === "string") this.string(value)
    else if (typeof value === "boolean") this.boolean(value)
    else if (typeof value === "number") {
      if (!Number.isFinite(value)) throw refused
      this.number(value)
    } else if (typeof value === "object") this.jsonObject(value)
    else throw refused
  }

  private jsonObject(value: object): void {
    const ancestors = this.ancestors
    if (ancestors.length >= Format.maxDepth || ancestors.includes(value)) throw refused
    ancestors.push(value)
    if (Array.isArray(value)) {
      this.arrayHead(value.length)
      for (let index = 0; index < value.length; index++) this.jsonValue(value[index])
    } else {
      if (!isPlainObject(value)) throw refused
      const keys = sortedKeys(value)
      this.mapHead(keys.length)
      for (const key of keys) {
        this.string(key)
        this.jsonValue((value as Record<string, unknown>)[key])
      }
    }
    ancestors.pop()
  }

  private byte(value: number): void {
    if (this.at >= this.target.length) this.grow(1)
    this.target[this.at++] = value
  }

  /** `sizeBytes` is 1, 2 or 4. */
  private tagged(tag: number, value: number, sizeBytes: number): void {
    this.room(1 + sizeBytes)
    this.target[this.at++] = tag
    this.unsigned(value, sizeBytes)
  }

  private unsigned(value: number, sizeBytes: number): void {
    const target = this.target
    for (let shift = sizeBytes * 8 - 8; shift >= 0; shift -= 8) target[this.at++] = (value >>> shift) & 0xff
  }
}

const littleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1

const stringHeadSizeBytes = (size: number): number => (size < 32 ? 1 : size < 0x100 ? 2 : size < 0x1_0000 ? 3 : 5)

/** Whether an object is one of a literal or of JSON, not of a class. */
export const isPlainObject = (value: object): boolean => {
  const prototype = Object.getPrototypeOf(value)
  return prototype === null || prototype === Object.prototype
}

/** An object's keys in the order of their bytes. */
export const sortedKeys = (value: object): Array<string> => {
  const keys = Object.keys(value)
  return keys.length < 2 ? keys : keys.sort(Utf8.compare)
}
