/**
 * All rows, in the order of the table.
 */
import type { Row } from "../Row.ts"

export const rows: ReadonlyArray<Row> = []
