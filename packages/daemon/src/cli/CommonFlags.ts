/**
 * Flags that several commands have.
 */
import { Flag } from "effect/cli"

/** `--json`: for programs. */
export const jsonFlag: Flag.Flag<boolean> = Flag.Boolean("json").pipe(
  Flag.withDescription("Print JSON for programs"),
  Flag.withDefault(false)
)
