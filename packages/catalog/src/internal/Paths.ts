/** Lexical path arithmetic with "/" as the separator: what the catalog needs to name files, without a platform. */

/** Removes empty and "." segments and a trailing slash. ".." stays, because a link may lie before it. */
export const normalize = (path: string): string => {
  const absolute = path.startsWith("/")
  const segments = path.split("/").filter((segment) => segment !== "" && segment !== ".")
  const joined = segments.join("/")
  if (absolute) return `/${joined}`
  return joined === "" ? "." : joined
}

/** `path` below `parent`; both normalized. */
export const join = (parent: string, path: string): string => {
  if (parent === ".") return path
  return parent === "/" ? `/${path}` : `${parent}/${path}`
}

/** The directory that holds a normalized path's name; "/" and "." are their own parents. */
export const parentOf = (path: string): string => {
  const slash = path.lastIndexOf("/")
  if (slash < 0) return "."
  return slash === 0 ? "/" : path.slice(0, slash)
}

/** What follows `root` in `path`, without a leading slash; undefined when `path` is not below it. Both normalized. */
export const below = (root: string, path: string): string | undefined => {
  const prefix = root === "." ? "" : root === "/" ? "/" : `${root}/`
  if (root === "." && path.startsWith("/")) return undefined
  return path.length > prefix.length && path.startsWith(prefix) ? path.slice(prefix.length) : undefined
}
