/** What an audit finds, in the words of its reports. */
import { Option } from "effect"

/**
 * Which promise is broken. `I1`: reads are right. `I2`: there is one canonical state. `I3`: disk and catalog name the same
 * files. `I4`: nothing below the floor remains.
 */
export type Invariant = "I1" | "I2" | "I3" | "I4"

/**
 * What is wrong, as a stable word.
 *
 * - `catalog`: a row of the catalog that no catalog of ours holds, or that cannot be read;
 * - `hole`: a chunk between the floor and the live one that is neither frozen nor hot;
 * - `missing`: a file that a frozen key names is not there;
 * - `damaged`: a file that a frozen key names is not what it must be;
 * - `hot`: a hot database is not what it must be;
 * - `stray`: a file that no key names;
 * - `unsettled`: a key between two states: work is under way, or the next start finishes it;
 * - `superseded`: something that another artifact has made superfluous;
 * - `coverage`: two frozen indexes of one window, or an index over chunks that are not of its window;
 * - `uncovered`: a frozen chunk whose keys no index holds;
 * - `below-floor`: something wholly below the floor;
 * - `unequal`: an entry is not the one that the source gives;
 * - `source`: the source cannot be read to the end, which says nothing about the store: the rest is not compared with it;
 * - `wrong-read`: the history does not answer with what is stored.
 */
export type AuditFault =
  | "catalog"
  | "hole"
  | "missing"
  | "damaged"
  | "hot"
  | "stray"
  | "unsettled"
  | "superseded"
  | "coverage"
  | "uncovered"
  | "below-floor"
  | "unequal"
  | "source"
  | "wrong-read"

/** Entries, both inclusive. */
export interface SeqRange {
  readonly from: number
  readonly to: number
}

export interface AuditFinding {
  readonly invariant: Invariant
  readonly fault: AuditFault
  /** The file, directory or database. */
  readonly path: string
  readonly chunk: Option.Option<number>
  readonly window: Option.Option<number>
  /** The entries that are concerned, as far as is known. */
  readonly entries: Option.Option<SeqRange>
  /** The catalog's key that is concerned, as its text. */
  readonly key: Option.Option<string>
  /** One line for people. */
  readonly message: string
}

/** The parts of a finding that are known, the others none. */
export interface FindingParts {
  readonly invariant: Invariant
  readonly fault: AuditFault
  readonly path: string
  readonly message: string
  readonly chunk?: number
  readonly window?: number
  readonly entries?: SeqRange
  readonly key?: string
}

export const make = (parts: FindingParts): AuditFinding => ({
  invariant: parts.invariant,
  fault: parts.fault,
  path: parts.path,
  message: parts.message,
  chunk: Option.fromUndefinedOr(parts.chunk),
  window: Option.fromUndefinedOr(parts.window),
  entries: Option.fromUndefinedOr(parts.entries),
  key: Option.fromUndefinedOr(parts.key)
})
