/** Records as lines for tests, and the sample archives of the older format. */

import * as Fs from "node:fs"
import * as Path from "node:path"
import { repository } from "./Command.ts"

/** The sample archives; undefined where the folder is absent. */
export const samples:
  | { readonly expanded: string; readonly unexpanded: string; readonly unfinished: string }
  | undefined = [Path.join(repository, "../shared/data/c1z")]
  .filter((path) => Fs.existsSync(path))
  .map((path) => ({
    expanded: Path.join(path, "small.expanded.c1z"),
    unexpanded: Path.join(path, "small.unexpanded.c1z"),
    unfinished: Path.join(path, "unfinished.c1z")
  }))[0]

export const missingSamples = "skipped: the folder ../shared/data/c1z is absent"

/** Two sync ids, in their order. */
export const syncIds: readonly [string, string] = ["2QYHtvXq0000000000000000001", "2QYHtvXq0000000000000000002"]

/** A resource as a line; names have wide characters, marks and what would steer a terminal. */
const resource = (index: number, note = "") => ({
  resource_type_id: index % 10 === 0 ? "group" : "user",
  resource_id: `r${String(index).padStart(4, "0")}`,
  display_name: ["Zoë", "名前", "e\u0301te\u0301", "\u001b[31mred", "plain"][index % 5]! + note,
  ...(index % 3 === 0
    ? { profile: { department: index % 2 === 0 ? "Sales" : "Lab", level: index, "a.b": [1, null] } }
    : {}),
  annotations: index % 7 === 0 ? [{ type: "note", value: "AP8=" }] : [],
  discovered_at: 1_700_000_000_000_000 + index
})

const grant = (index: number) => ({
  external_id: `g${String(index).padStart(5, "0")}`,
  entitlement_id: `e${index % 7}`,
  entitlement_resource_type_id: "group",
  entitlement_resource_id: "r0000",
  principal_resource_type_id: "user",
  principal_resource_id: `r${String(index % 50).padStart(4, "0")}`,
  sources: index % 4 === 0 ? { [`e${index % 3}`]: { is_direct: true } } : {},
  needs_expansion: index % 11 === 0,
  annotations: [],
  discovered_at: 1_700_000_000_000_000 + index
})

const asset = {
  external_id: "logo",
  content_type: "image/png",
  data: Buffer.alloc(100_000, 7).toString("base64"),
  discovered_at: 1
}

/** Lines of a finished sync, and of one after it that has not ended. */
export const lines = (options: {
  readonly resourceCount: number
  readonly grantCount: number
}): ReadonlyArray<string> => {
  const [first, second] = syncIds
  const record = (type: string, sync: string, fields: unknown) => JSON.stringify({ type, sync, record: fields })
  const { grantCount, resourceCount } = options
  return [
    JSON.stringify({
      sync_run: { sync_id: first, type: "full", started_at: 1e15, ended_at: 1e15 + 5, token: "t", counts: {} }
    }),
    record("Asset", first, asset),
    ...Array.from({ length: grantCount }, (_, index) => record("Grant", first, grant(index))),
    ...Array.from({ length: resourceCount }, (_, index) => record("Resource", first, resource(index))),
    JSON.stringify({
      sync_run: { sync_id: second, type: "partial", parent_sync_id: first, started_at: 2e15, token: "", counts: {} }
    }),
    record("Resource", second, resource(1, " (changed)"))
  ]
}
