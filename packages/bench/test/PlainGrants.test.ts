import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { type GrantItem, grantPages, shapeOf } from "../src/fixtures/AccessData.ts"
import { openPlainGrants } from "../src/peers/PlainGrants.ts"

const byId = (left: GrantItem, right: GrantItem): number => (left.external_id < right.external_id ? -1 : 1)

describe("PlainGrants", () => {
  it("openPlainGrants gives back the grants that were put, as they were, in order and by each index", () => {
    const directory = mkdtempSync(join(tmpdir(), "icecore-plain-"))
    const plain = openPlainGrants(join(directory, "grants.sqlite"))
    try {
      plain.startSync()
      const grants = [...grantPages(shapeOf(2_500))].flatMap((page) => {
        plain.put(page)
        return page
      })
      plain.put(grants.slice(0, 10))
      plain.endSync()
      const listed: Array<GrantItem> = []
      plain.list(1_000, (page) => listed.push(...page))
      assert.deepStrictEqual(listed, grants.toSorted(byId))
      assert.deepStrictEqual(plain.get(grants[7]!.external_id), grants[7])
      assert.isUndefined(plain.get("nobody"))
      const { entitlement_id, principal_resource_id, principal_resource_type_id } = grants[7]!
      assert.deepStrictEqual(
        plain.byEntitlement(entitlement_id).toSorted(byId),
        grants.filter((grant) => grant.entitlement_id === entitlement_id).sort(byId)
      )
      assert.deepStrictEqual(
        plain.byPrincipal(principal_resource_type_id, principal_resource_id).toSorted(byId),
        grants.filter((grant) => grant.principal_resource_id === principal_resource_id).sort(byId)
      )
    } finally {
      plain.close()
      rmSync(directory, { recursive: true, force: true })
    }
  })
})
