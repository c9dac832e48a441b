import { assert, describe, it } from "@effect/vitest"
import { rowsOf } from "../src/cli/commands/StatusCommand.ts"

const idle = { state: "idle", problem: null }

describe("icecore status", () => {
  it("has a row for each part that has a state, with its problem, and none for what its stages say", () => {
    const body = {
      served: { floor: 0, latest: 9 },
      source: null,
      ingestion: idle,
      freezing: { state: "waiting", problem: "no space" },
      stages: [
        { name: "freeze", state: "waiting", problem: "no space" },
        { name: "roll", ...idle }
      ],
      retention: { chunks: 0, problem: null }
    }
    assert.deepStrictEqual(rowsOf(body), [
      ["served.floor", "0"],
      ["served.latest", "9"],
      ["source", "none"],
      ["ingestion", "idle"],
      ["stages.freeze", "waiting: no space"],
      ["stages.roll", "idle"],
      ["retention.chunks", "0"]
    ])
  })

  it("has no row for stages where there are none, and one for a problem", () => {
    assert.deepStrictEqual(rowsOf({ freezing: idle, stages: [], retention: { chunks: 2, problem: "not filled in" } }), [
      ["retention.chunks", "2"],
      ["retention.problem", "not filled in"]
    ])
  })
})
