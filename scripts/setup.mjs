// Makes a fresh clone ready with nothing but Node: fetches Bun when it is missing, then installs what bun.lock names.
// Runs on Node 20 and later, before any dependency exists, so it imports only from Node.
import { execFileSync, spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

const root = join(dirname(fileURLToPath(import.meta.url)), "..")
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
const bunVersion = manifest.devDependencies.bun
const stampPath = join(root, "node_modules", ".icecore-setup")

const hash = createHash("sha256")
const packages = readdirSync(join(root, "packages")).sort()
for (const path of ["package.json", "bun.lock", ...packages.map((name) => join("packages", name, "package.json"))]) {
  if (existsSync(join(root, path))) hash.update(path).update(readFileSync(join(root, path)))
}
const stamp = hash.digest("hex")
const isReady = existsSync(stampPath) && readFileSync(stampPath, "utf8") === stamp

if (!isReady) {
  const bun = findBun()
  console.log(`Installing dependencies with Bun ${bunVersion} ...`)
  execFileSync(bun, ["install", "--frozen-lockfile"], { cwd: root, stdio: "inherit" })
  writeFileSync(stampPath, stamp)
}

function findBun() {
  const exe = process.platform === "win32" ? "bun.exe" : "bun"
  const cache = join(root, ".cache", "bun")
  const candidates = [join(root, "node_modules", ".bin", exe), join(cache, "node_modules", ".bin", exe), exe]
  const found = candidates.find((path) => versionOf(path) === bunVersion)
  if (found !== undefined) return found
  console.log(`Fetching Bun ${bunVersion} from the npm registry ...`)
  mkdirSync(cache, { recursive: true })
  writeFileSync(join(cache, "package.json"), "{}")
  execFileSync("npm", ["install", "--no-save", "--no-package-lock", "--no-audit", "--no-fund", `bun@${bunVersion}`], {
    cwd: cache,
    stdio: ["ignore", "inherit", "inherit"],
    shell: process.platform === "win32"
  })
  const fetched = join(cache, "node_modules", ".bin", exe)
  if (versionOf(fetched) !== bunVersion) throw new Error(`Cannot set up: ${fetched} does not run as Bun ${bunVersion}`)
  return fetched
}

function versionOf(path) {
  const run = spawnSync(path, ["--version"], { encoding: "utf8" })
  return run.status === 0 ? run.stdout.trim() : undefined
}
