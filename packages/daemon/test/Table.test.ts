import { assert, describe, it } from "@effect/vitest"
import * as DisplayText from "../src/cli/DisplayText.ts"
import * as Table from "../src/cli/Table.ts"

describe("DisplayText", () => {
  it("widthOf counts the columns of a terminal, not the units of a string", () => {
    const cases: ReadonlyArray<readonly [string, number]> = [
      ["", 0],
      ["plain", 5],
      ["Zoë", 3],
      ["Zoe\u0308", 3],
      ["名前", 4],
      ["ｱ", 1],
      ["한글", 4],
      ["👩‍👩‍👧", 2],
      ["🇨🇭", 2],
      ["✔️", 2],
      ["\u0301", 0],
      ["𠀀", 2]
    ]
    for (const [text, width] of cases) assert.strictEqual(DisplayText.widthOf(text), width, text)
  })

  it("fit gives what has room as it is, and cuts the rest between characters", () => {
    const cases: ReadonlyArray<readonly [string, number, string]> = [
      ["four", 4, "four"],
      ["fifth", 4, "fif…"],
      ["名前", 4, "名前"],
      ["名前だ", 4, "名…"],
      ["名前だ", 5, "名前…"],
      ["aZoe\u0308", 4, "aZoe\u0308"],
      ["Zoe\u0308n", 3, "Zo…"],
      ["👩‍👩‍👧👩‍👩‍👧", 3, "👩‍👩‍👧…"],
      ["名", 1, "…"]
    ]
    for (const [text, columns, expected] of cases) {
      assert.strictEqual(DisplayText.fit(text, columns), expected, text)
      assert.isAtMost(DisplayText.widthOf(DisplayText.fit(text, columns)), columns)
    }
  })

  it("visible leaves nothing that steers a terminal or turns the direction of the text", () => {
    assert.strictEqual(DisplayText.visible("a\tb\nc\r"), "a\\tb\\nc\\r")
    assert.strictEqual(DisplayText.visible("\u001b[2Jgone\u0000\u007f\u009b"), "\\u001b[2Jgone\\u0000\\u007f\\u009b")
    assert.strictEqual(DisplayText.visible("\u202etxt.exe\u2066"), "\\u202etxt.exe\\u2066")
    assert.strictEqual(DisplayText.visible("Zoë 👩‍👩‍👧 名前"), "Zoë 👩‍👩‍👧 名前")
  })
})

describe("Table", () => {
  it("render aligns columns by what a terminal shows, and numbers to the right", () => {
    assert.strictEqual(
      Table.render(
        [{ name: "name" }, { name: "count", align: "right" }, { name: "note" }],
        [
          ["名前", "7", ""],
          ["x", "12,345", "long\nand two lines"]
        ]
      ),
      ["name   count  note", "名前       7", "x     12,345  long\\nand two lines", ""].join("\n")
    )
  })

  it("render of no rows is the line of names", () => {
    assert.strictEqual(Table.render([{ name: "a" }, { name: "b" }], []), "a  b\n")
  })

  it("make cuts what is longer than a cell may be, also in rows that come later", () => {
    const table = Table.make([{ name: "a" }, { name: "b" }], [["x", "y"]], { maxCellColumns: 6 })
    assert.strictEqual(table.header, "a  b")
    assert.strictEqual(table.row(["0123456789", "end"]), "01234…  end")
  })

  it("make looks at the beginning alone of what is far longer than a cell", () => {
    const table = Table.make([{ name: "a" }, { name: "b" }], [["x", "y"]], { maxCellColumns: 6 })
    const before = process.memoryUsage().rss
    assert.strictEqual(table.row(["\u0001".repeat(8 * 2 ** 20), "end"]), "\\u000…  end")
    assert.strictEqual(table.row(["𠀀".repeat(4 * 2 ** 20), "end"]), "𠀀𠀀…  end")
    assert.isBelow(process.memoryUsage().rss - before, 200 * 2 ** 20)
    const marks = table.row([`${"\u0301".repeat(10_000)}abc`, "end"])
    assert.isTrue(marks.endsWith("…  end"))
    assert.isBelow(marks.length, 1_000)
  })
})
