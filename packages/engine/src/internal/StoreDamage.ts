/** What a store throws when a row's bytes are not what was written; it does not know the path, the engine adds it. */
export class StoreDamage extends Error {
  readonly keyspace: string
  readonly key: Uint8Array
  readonly detail: string

  constructor(fields: { readonly keyspace: string; readonly key: Uint8Array; readonly detail: string }) {
    super(fields.detail)
    this.keyspace = fields.keyspace
    this.key = fields.key
    this.detail = fields.detail
  }
}
