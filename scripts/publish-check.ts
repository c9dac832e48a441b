// Proves that the package in the working directory can be published: packs it, lints the tarball as npm would get it,
// and lets Deno rehearse the JSR release (types, slow types, file list). Prints nothing but what is wrong, and one line.
import { spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { publint } from "publint"
import { formatMessage } from "publint/utils"
import { pack } from "./lib/Pack.ts"
import { readPackage } from "./lib/Workspace.ts"

const target = readPackage(process.cwd())
const directory = mkdtempSync(join(tmpdir(), "icecore-publish-"))
const faults: Array<string> = []
try {
  const tarball = readFileSync(pack(target.directory, directory))
  const { messages, pkg } = await publint({
    pack: { tarball: tarball.buffer.slice(tarball.byteOffset, tarball.byteOffset + tarball.byteLength) },
    level: "suggestion",
    strict: true
  })
  for (const message of messages)
    faults.push(`publint ${message.type}: ${formatMessage(message, pkg, { color: false })}`)
} finally {
  rmSync(directory, { recursive: true })
}

// `--allow-dirty` because the check also runs before a commit. Types are checked: it is what `deno publish` does anyway.
const rehearsal = spawnSync("deno", ["publish", "--dry-run", "--allow-dirty"], {
  cwd: target.directory,
  encoding: "utf8",
  env: { ...process.env, NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" }
})
const said = rehearsal.stdout + rehearsal.stderr
// A module whose absolute URL is known only when the program runs, such as that of a domain in a worker thread, is no fault.
const warning = /\bwarning\b(?!\[unanalyzable-dynamic-import\])/i
if (rehearsal.status !== 0 || warning.test(said)) faults.push(`deno publish --dry-run:\n${said.trim()}`)

for (const fault of faults) console.error(`${target.manifest.name}: ${fault}`)
console.log(`${target.manifest.name}: ${faults.length === 0 ? "fit to publish" : `${faults.length} faults`}`)
process.exit(faults.length === 0 ? 0 : 1)
