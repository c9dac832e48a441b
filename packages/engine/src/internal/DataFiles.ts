/**
 * The data file of each engine, inside a database's directory. They differ, so that a directory says whose it is and no engine
 * takes another's database for none. Part of the on-disk format: never change one.
 */
export const dataFiles: { readonly sqlite: string; readonly lmdb: string } = {
  sqlite: "data.sqlite",
  lmdb: "data.mdb"
}
