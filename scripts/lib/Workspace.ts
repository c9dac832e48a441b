/**
 * What is in the workspace, as the scripts see it: the packages in dependency order with their manifests and sources.
 */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs"
import { basename, join, relative, sep } from "node:path"
import { fileURLToPath } from "node:url"

/** Absolute path of the repository's root. */
export const root: string = fileURLToPath(new URL("../..", import.meta.url))

/** Packages from left to right: a package imports only from those that {@link mayImport} lists. */
export const mayImport: Readonly<Record<string, ReadonlyArray<string>>> = {
  codec: [],
  packfile: ["codec"],
  engine: ["codec", "packfile"],
  catalog: ["codec", "packfile", "engine"],
  compactor: ["codec", "packfile", "engine"],
  daemon: ["codec", "packfile", "engine", "catalog", "compactor"],
  bench: ["codec", "packfile", "engine", "catalog", "compactor", "daemon"]
}

/** The fields of a `package.json` that the scripts read. */
export interface Manifest {
  readonly name: string
  readonly version: string
  readonly private?: boolean
  readonly exports: Readonly<Record<string, Readonly<Record<string, string>>>>
  readonly scripts?: Readonly<Record<string, string>>
  readonly dependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
}

/** The fields of a `deno.json` or `jsr.json` that the scripts read. */
export interface DenoManifest {
  readonly name: string
  readonly version: string
  readonly exports: Readonly<Record<string, string>>
  readonly imports?: Readonly<Record<string, string>>
}

/** A source file of a package; `path` is relative to the package, with forward slashes. */
export interface SourceFile {
  readonly path: string
  readonly text: string
}

/** A package as it is on disk. Missing files are `undefined`. */
export interface WorkspacePackage {
  /** The folder's name, which is the package's name without its scope. */
  readonly name: string
  readonly directory: string
  readonly manifest: Manifest
  readonly deno: DenoManifest | undefined
  readonly jsr: DenoManifest | undefined
  readonly readme: string | undefined
  readonly files: ReadonlyArray<string>
  readonly sources: ReadonlyArray<SourceFile>
}

/** Reads one package's directory. */
export const readPackage = (directory: string): WorkspacePackage => ({
  name: basename(directory),
  directory,
  manifest: JSON.parse(readFileSync(join(directory, "package.json"), "utf8")),
  deno: readJson(join(directory, "deno.json")),
  jsr: readJson(join(directory, "jsr.json")),
  readme: existsSync(join(directory, "README.md")) ? readFileSync(join(directory, "README.md"), "utf8") : undefined,
  files: readdirSync(directory),
  sources: listFiles(join(directory, "src"))
    .filter((path) => path.endsWith(".ts"))
    .map((path) => ({ path: relative(directory, path).split(sep).join("/"), text: readFileSync(path, "utf8") }))
})

/** Reads every folder of `packages/`, in name order. */
export const readPackages = (): ReadonlyArray<WorkspacePackage> =>
  readdirSync(join(root, "packages"))
    .sort()
    .map((name) => join(root, "packages", name))
    .filter((directory) => existsSync(join(directory, "package.json")))
    .map(readPackage)

const readJson = (path: string): DenoManifest | undefined =>
  existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : undefined

const listFiles = (directory: string): ReadonlyArray<string> =>
  existsSync(directory)
    ? readdirSync(directory)
        .sort()
        .flatMap((name) => {
          const path = join(directory, name)
          return statSync(path).isDirectory() ? listFiles(path) : [path]
        })
    : []
