import { assert, describe, it } from "@effect/vitest"
import { Crc32c } from "@icecore/codec"
import * as ArchiveFormat from "../src/format/ArchiveFormat.ts"

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex")

const part = { name: "records", offset_bytes: 0, size_bytes: 5, decoded_size_bytes: 9, row_count: 2 }
const manifest: ArchiveFormat.Manifest = {
  format_version: 1,
  creator: "golden",
  created_at: 1_700_000_000_000_000,
  engine: "sqlite",
  key_layout_version: 1,
  encoding: "pack",
  types: [],
  syncs: [
    {
      sync_id: "2NQhOJm7nyKZ0pkGUJ6sYZDTXIx" as ArchiveFormat.ManifestSync["sync_id"],
      type: "full",
      started_at: 1,
      ended_at: 2,
      counts: { Grant: 3 }
    }
  ],
  parts: [part, { ...part, name: "indexes", offset_bytes: 5, size_bytes: 2 }]
}

const footer: ArchiveFormat.Footer = {
  payloadSha256: new Uint8Array(32).fill(7),
  payloadSizeBytes: 300,
  payloadCrc: 0x01020304,
  manifestCrc: 0xfffefdfc
}

const goldenFooter =
  "0707070707070707070707070707070707070707070707070707070707070707" +
  "2c01000000000000" +
  "04030201" +
  "fcfdfeff" +
  "00000000" +
  "CHECKSUM" +
  "49434541454e4431"

const goldenHead =
  "49434541524348316d040000019a01a6676f6c64656ecb4318289060790000a673716c69746501a47061636b909196bb324e" +
  "51684f4a6d376e794b5a30706b47554a3673595a4454584978a466756c6cc0010281a54772616e74039295a77265636f7264" +
  "730005090295a7696e646578657305020902c50400"

describe("ArchiveFormat", () => {
  it("ArchiveFormat.encodeHead keeps its size whatever the numbers of the parts are", () => {
    const draft = ArchiveFormat.encodeHead(manifest)
    for (const size of [0, 1, 127, 128, 65_536, 2 ** 32, 2 ** 53 - 1]) {
      const parts = manifest.parts.map((each) => ({
        ...each,
        size_bytes: size,
        decoded_size_bytes: size,
        row_count: size
      }))
      assert.strictEqual(ArchiveFormat.encodeHead({ ...manifest, parts }, draft.length).length, draft.length)
    }
    const large = { ...manifest, creator: "x".repeat(5000) }
    assert.throws(() => ArchiveFormat.encodeHead(large, draft.length), RangeError)
    assert.throws(() => ArchiveFormat.encodeHead(manifest, ArchiveFormat.encodeHead(large).length), RangeError)
  })

  it("ArchiveFormat.decodeManifest gives what was encoded", () => {
    const head = ArchiveFormat.encodeHead(manifest)
    assert.isTrue(ArchiveFormat.hasMagic(head))
    assert.strictEqual(ArchiveFormat.manifestSizeOf(head), head.length - ArchiveFormat.headSizeBytes)
    assert.deepStrictEqual(ArchiveFormat.decodeManifest(head, 7), manifest)
  })

  it("ArchiveFormat.decodeManifest reads the golden head", () => {
    // The padding of 1,024 zeros is left out: its length is the last three bytes.
    const golden = Buffer.from(goldenHead, "hex")
    const head = new Uint8Array(golden.length + 1024)
    head.set(golden)
    assert.deepStrictEqual(ArchiveFormat.decodeManifest(head, 7), manifest)
    assert.strictEqual(hex(ArchiveFormat.encodeHead(manifest)), hex(head))
  })

  it("ArchiveFormat.decodeManifest refuses two parts of one name", () => {
    const twice = [part, { ...part, offset_bytes: 5, size_bytes: 2 }]
    const fault = ArchiveFormat.decodeManifest(ArchiveFormat.encodeHead({ ...manifest, parts: twice }), 7)
    assert.propertyVal(fault, "detail", 'its part "records" is there twice')
  })

  it("ArchiveFormat.decodeFooter reads the golden footer, and nothing else", () => {
    const bytes = ArchiveFormat.encodeFooter(footer)
    const checksum = Buffer.alloc(4)
    checksum.writeUInt32LE(Crc32c.update(0, bytes, 0, 52))
    assert.strictEqual(hex(bytes), goldenFooter.replace("CHECKSUM", checksum.toString("hex")))
    assert.strictEqual(checksum.toString("hex"), "71fd93a9")
    assert.deepStrictEqual(ArchiveFormat.decodeFooter(bytes, 300 + 64 + 12 + 10, 10), footer)
    assert.propertyVal(ArchiveFormat.decodeFooter(bytes, 300 + 64 + 12 + 11, 10), "part", "size")
  })

  it("ArchiveFormat.decodeFooter refuses reserved bytes that are not zero, with a checksum that is right", () => {
    const bytes = ArchiveFormat.encodeFooter(footer)
    bytes[48] = 1
    new DataView(bytes.buffer).setUint32(52, Crc32c.update(0, bytes, 0, 52), true)
    const fault = ArchiveFormat.decodeFooter(bytes, 300 + 64 + 12 + 10, 10)
    assert.propertyVal(fault, "detail", "its reserved bytes are not zero")
  })
})
