/** What the keyspaces of a database may be called. */
const keyspaceLimit = 64
const keyspacePattern = /^[a-z][a-z0-9_]{0,62}$/

/** What is wrong with the keyspaces of an open; undefined when nothing is. */
export const keyspacesProblem = (keyspaces: ReadonlyArray<string>): string | undefined => {
  if (keyspaces.length < 1 || keyspaces.length > keyspaceLimit) {
    return `it takes 1 to ${keyspaceLimit} keyspaces, got ${keyspaces.length}`
  }
  const wrong = keyspaces.find((keyspace) => !keyspacePattern.test(keyspace))
  if (wrong !== undefined) return `the keyspace name ${JSON.stringify(wrong)} does not match ${keyspacePattern.source}`
  return new Set(keyspaces).size === keyspaces.length ? undefined : "a keyspace is named twice"
}
