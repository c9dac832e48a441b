/**
 * The module specifiers of a TypeScript file, types included (which bundlers' import scanners leave out).
 */

/** One import, export-from or dynamic import. */
export interface Import {
  readonly specifier: string
  /** Erased at run time: `import type` and `export type … from`, or `import("x")` in a type position. */
  readonly isTypeOnly: boolean
  /** Names taken at run time from a braced list; `*` when everything is or may be. */
  readonly names: ReadonlyArray<string>
  /** From 1. */
  readonly line: number
}

const statement =
  /(?:^|[;\n])[ \t]*(import|export)[ \t]+(type[ \t]+(?!from\b))?(?:([\w*$\s{},]+?)\bfrom\s*)?["']([^"'\n]+)["']/g
const dynamic = /(typeof\s+)?\bimport\s*\(\s*["'`]([^"'`\n]+)["'`]/g

/** All imports of `text` in order of line. Comments do not count. */
export const scanImports = (text: string): ReadonlyArray<Import> => {
  const code = withoutComments(text)
  const lineAt = (index: number): number => code.slice(0, index).split("\n").length
  const found: Array<Import> = []
  for (const match of code.matchAll(statement)) {
    const specifierIndex = match.index + match[0].length - 1
    found.push({
      specifier: match[4]!,
      isTypeOnly: match[2] !== undefined,
      names: namesOf(match[3]),
      line: lineAt(specifierIndex)
    })
  }
  for (const match of code.matchAll(dynamic)) {
    found.push({ specifier: match[2]!, isTypeOnly: match[1] !== undefined, names: ["*"], line: lineAt(match.index) })
  }
  return found.sort((a, b) => a.line - b.line)
}

/** The package a specifier belongs to: `@scope/name/sub` is `@scope/name`; `node:fs/promises` is `node:fs`. */
export const packageOf = (specifier: string): string => {
  const parts = specifier.split("/")
  return specifier.startsWith("@") ? parts.slice(0, 2).join("/") : parts[0]!
}

const namesOf = (clause: string | undefined): ReadonlyArray<string> =>
  clause === undefined || !/^\s*\{[^}]*\}\s*$/.test(clause)
    ? ["*"]
    : clause
        .replace(/[{}]/g, "")
        .split(",")
        .map((name) => name.trim())
        .filter((name) => name !== "" && !name.startsWith("type "))
        .map((name) => name.split(/\s+/)[0]!)

/** Blanks comments, keeping line numbers. Strings and templates are stepped over, so `"http://x"` stays whole. */
const withoutComments = (text: string): string =>
  text.replace(
    /"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\[\s\S])*`|\/\/[^\n]*|\/\*[\s\S]*?\*\//g,
    (token) => (token.startsWith("/") ? token.replace(/[^\n]/g, " ") : token)
  )
