/**
 * The rules that keep the packages apart and publishable. Pure: they read a {@link WorkspacePackage} and name violations.
 */
import { packageOf, scanImports } from "./Imports.ts"
import { mayImport, type WorkspacePackage } from "./Workspace.ts"

const scope = "@icecore/"

/** Doors to the world: only adapters (`src/live/`) open them, and `bench`, which measures the bare libraries. */
const adapterOnly: ReadonlySet<string> = new Set([
  "bun",
  "bun:sqlite",
  "bun:ffi",
  "node:fs",
  "fs",
  "node:sqlite",
  "node:zlib",
  "zlib",
  "node:worker_threads",
  "worker_threads",
  "@std/fs",
  "fs-extra",
  "lmdb",
  "@hpcc-js/wasm-zstd"
])

/** What of Effect is plain data, and may be used where its runtime may not. */
const dataModules: ReadonlySet<string> = new Set(["Brand", "Data", "Option", "Order", "Result", "Schema"])

const isAdapter = (path: string): boolean => /^src\/(.+\/)?live\//.test(path)
const isPureLayer = (path: string): boolean => /^src\/(.+\/)?(format|kernel)\//.test(path)
const isBuiltin = (specifier: string): boolean => /^(node|bun):/.test(specifier) || specifier === "bun"

/** Every violation in the package, as one line each that says where and what. Empty when all is well. */
export const violations = (target: WorkspacePackage): ReadonlyArray<string> => [
  ...arrowViolations(target),
  ...manifestViolations(target),
  ...jsrViolations(target),
  ...fileViolations(target)
]

/** Violations between packages: one version for all, each inner dependency at exactly that version. */
export const versionViolations = (packages: ReadonlyArray<WorkspacePackage>): ReadonlyArray<string> => {
  const version = packages[0]?.manifest.version
  return packages.flatMap(({ manifest, name, deno }) => [
    ...(manifest.version === version ? [] : [`packages/${name}: version is ${manifest.version}, expected ${version}`]),
    ...(deno === undefined || deno.version === manifest.version
      ? []
      : [`packages/${name}: deno.json has version ${deno.version}, package.json ${manifest.version}`]),
    ...Object.entries(manifest.dependencies ?? {})
      .filter(([dependency, range]) => dependency.startsWith(scope) && range !== version)
      .map(([dependency, range]) => `packages/${name}: depends on ${dependency} ${range}, expected ${version}`)
  ])
}

const arrowViolations = ({ name, manifest, deno, sources }: WorkspacePackage): ReadonlyArray<string> => {
  const allowed = mayImport[name]
  if (allowed === undefined) return [`packages/${name}: has no place among the dependency arrows`]
  const declared = new Set([
    ...Object.keys(manifest.dependencies ?? {}),
    ...Object.keys(manifest.peerDependencies ?? {})
  ])
  const mapped = new Set(Object.keys(deno?.imports ?? {}))
  const found: Array<string> = []
  for (const dependency of declared) {
    if (dependency.startsWith(scope) && !allowed.includes(dependency.slice(scope.length)))
      found.push(`packages/${name}/package.json: depends on ${dependency}, which is to its right`)
  }
  for (const { path, text } of sources) {
    for (const { specifier, isTypeOnly, names, line } of scanImports(text)) {
      const place = `packages/${name}/${path}:${line}`
      if (specifier.startsWith(".")) {
        const depth = path.split("/").length - 2
        if (specifier.split("/").filter((part) => part === "..").length > depth)
          found.push(`${place}: imports ${specifier}, which is outside of src`)
        if (!specifier.endsWith(".ts")) found.push(`${place}: imports ${specifier}, relative imports end in .ts`)
        continue
      }
      const dependency = packageOf(specifier)
      if (dependency === scope + name) found.push(`${place}: imports its own package by name`)
      else if (dependency.startsWith(scope) && !allowed.includes(dependency.slice(scope.length)))
        found.push(`${place}: imports ${specifier}, which is to the right of ${name}`)
      else if (!isBuiltin(dependency) && !declared.has(dependency))
        found.push(`${place}: imports ${specifier}, which package.json does not declare`)
      else if (!isBuiltin(dependency) && !dependency.startsWith(scope) && !mapped.has(dependency))
        found.push(`${place}: imports ${specifier}, which deno.json does not map`)
      if (name !== "bench" && adapterOnly.has(dependency) && !isAdapter(path))
        found.push(`${place}: imports ${specifier}, which only an adapter in src/live may`)
      const effects = dependency === "effect" && !isTypeOnly ? names.filter((each) => !dataModules.has(each)) : []
      if (isPureLayer(path) && effects.length > 0)
        found.push(`${place}: imports ${effects.join()} from ${specifier}, format/ and kernel/ run without Effect`)
    }
  }
  return found
}

const manifestViolations = ({ name, manifest, deno, files, sources }: WorkspacePackage): ReadonlyArray<string> => {
  const place = `packages/${name}`
  if (deno === undefined) return [`${place}: has no deno.json`]
  const found: Array<string> = []
  if (manifest.name !== scope + name) found.push(`${place}: is named ${manifest.name}, expected ${scope}${name}`)
  if (deno.name !== manifest.name)
    found.push(`${place}: deno.json names it ${deno.name}, package.json ${manifest.name}`)
  const fromPackage = Object.fromEntries(Object.entries(manifest.exports).map(([path, to]) => [path, to.bun]))
  for (const path of new Set([...Object.keys(fromPackage), ...Object.keys(deno.exports)])) {
    const left = fromPackage[path]
    const right = deno.exports[path]
    if (left !== right) found.push(`${place}: export ${path} is ${left} in package.json, ${right} in deno.json`)
    else if (!sources.some((source) => `./${source.path}` === left))
      found.push(`${place}: export ${path} is ${left}, which does not exist`)
  }
  for (const [path, conditions] of Object.entries(manifest.exports)) {
    if (Object.keys(conditions).join() !== "bun,types,default")
      found.push(
        `${place}: export ${path} has conditions ${Object.keys(conditions).join()}, expected bun,types,default`
      )
    const built = conditions.bun?.replace(/^\.\/src\//, "./dist/").replace(/\.ts$/, "")
    if (conditions.types !== `${built}.d.ts` || conditions.default !== `${built}.js`)
      found.push(`${place}: export ${path} points to ${conditions.types} and ${conditions.default}, expected ${built}`)
  }
  if (manifest.private !== true && manifest.peerDependencies?.effect === undefined)
    found.push(`${place}: effect is not a peer dependency`)
  if (manifest.private !== true && manifest.scripts?.["publish:check"] === undefined)
    found.push(`${place}: has no publish:check script`)
  if (manifest.scripts?.test === undefined) found.push(`${place}: has no test script`)
  return files.includes("test") ? found : [...found, `${place}: has no tests`]
}

/**
 * `deno.json` serves development and maps `@std/*` to npm; where it does, `jsr.json` is the manifest of the JSR release:
 * the same, with `@std/*` and the inner packages mapped to JSR.
 */
const jsrViolations = ({ name, manifest, deno, jsr }: WorkspacePackage): ReadonlyArray<string> => {
  const place = `packages/${name}`
  const needsJsr = Object.keys(deno?.imports ?? {}).some((key) => key.startsWith("@std/"))
  if (!needsJsr) return jsr === undefined ? [] : [`${place}: has a jsr.json but maps nothing from JSR`]
  if (jsr === undefined || deno === undefined) return [`${place}: imports from @std and has no jsr.json`]
  const found: Array<string> = []
  const { imports: denoImports = {}, ...denoRest } = deno
  const { imports: jsrImports = {}, ...jsrRest } = jsr
  if (JSON.stringify(denoRest) !== JSON.stringify(jsrRest))
    found.push(`${place}: jsr.json and deno.json differ outside of their imports`)
  for (const [key, target] of Object.entries(denoImports)) {
    const expected = key.startsWith("@std/") ? `jsr:${key}@` : target
    if (jsrImports[key]?.startsWith(expected) !== true)
      found.push(`${place}: jsr.json maps ${key} to ${jsrImports[key]}, expected ${expected}`)
  }
  for (const dependency of Object.keys(manifest.dependencies ?? {}).filter((key) => key.startsWith(scope))) {
    const expected = `jsr:${dependency}@^${manifest.version}`
    if (jsrImports[dependency] !== expected)
      found.push(`${place}: jsr.json maps ${dependency} to ${jsrImports[dependency]}, expected ${expected}`)
  }
  return found
}

const fileViolations = ({ name, files }: WorkspacePackage): ReadonlyArray<string> =>
  ["README.md", "LICENSE", "deno.json", "package.json", "tsconfig.json"]
    .filter((file) => !files.includes(file))
    .map((file) => `packages/${name}: has no ${file}`)
