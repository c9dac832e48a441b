/**
 * The bytes of one record.
 *
 * Part of the on-disk format of record stores and archives: never change, add a version.
 *
 * ```
 * [schema version: MessagePack uint, 1 to 2^31 − 1][struct]
 * ```
 *
 * MessagePack as msgpackr writes it, and one form only for each value: bytes that decode encode to the same bytes again.
 *
 * | shape | MessagePack |
 * | --- | --- |
 * | struct | array of the fields in declared order; absent ones are nil, and left out at the end |
 * | string, literal | str of well-formed UTF-8 |
 * | bytes | bin |
 * | boolean | true, false |
 * | int | the shortest int of up to 32 bits, else float 64 |
 * | number, numbers in json | as int where it is one, −0 as 0, else float 64; NaN is 7ff8000000000000 |
 * | bigint | int 64 (d3) |
 * | date | its milliseconds since 1970, as int |
 * | array | array |
 * | record, objects in json | map, keys strictly ascending by their bytes |
 * | nullable | nil, or the value |
 * | json | nil, boolean, number, str, array or map |
 *
 * A nullable or json field that is optional is an array of one item when present, since nil stands for absent there.
 * Fields behind the known ones are a newer version's: kept as they are and written again. Fields missing at the end were not
 * there yet: they must be optional. Structs within structs are the same, without version. No checksum; what stores records
 * has one.
 *
 * Example: version 1 of `{ id: "ab", count?: int, note: nullable string }` with `{ id: "ab", note: null }` is
 * `01 93 a2 61 62 c0 c0`.
 */

/** Smallest and largest schema version, inclusive. */
export const minVersion = 1
export const maxVersion = 0x7fff_ffff

/** Deepest nesting of shapes, and of the arrays and maps of one json value. */
export const maxDepth = 64

/** Deepest nesting of what a newer version may have put into a field: shapes, and json inside of them. */
export const maxTailDepth: number = 2 * maxDepth

/** First bytes of MessagePack values. */
export const nilByte = 0xc0
export const falseByte = 0xc2
export const trueByte = 0xc3
export const bin8Byte = 0xc4
export const bin16Byte = 0xc5
export const bin32Byte = 0xc6
export const float64Byte = 0xcb
export const uint8Byte = 0xcc
export const uint16Byte = 0xcd
export const uint32Byte = 0xce
export const int8Byte = 0xd0
export const int16Byte = 0xd1
export const int32Byte = 0xd2
export const int64Byte = 0xd3
export const str8Byte = 0xd9
export const str16Byte = 0xda
export const str32Byte = 0xdb
export const array16Byte = 0xdc
export const array32Byte = 0xdd
export const map16Byte = 0xde
export const map32Byte = 0xdf
export const fixMapByte = 0x80
export const fixArrayByte = 0x90
export const fixStrByte = 0xa0

/** Whether a value with this first byte is an array. */
export const isArrayHead = (byte: number): boolean =>
  (byte & 0xf0) === fixArrayByte || byte === array16Byte || byte === array32Byte

/** Whether a value with this first byte is a map. */
export const isMapHead = (byte: number): boolean =>
  (byte & 0xf0) === fixMapByte || byte === map16Byte || byte === map32Byte
