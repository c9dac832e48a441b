/**
 * The exit status of a process that a signal stops: 130, as shells report it, because the work is not done. A command whose work
 * ends by a signal and in no other way sets 0.
 */
import { Context } from "effect"

/** Status of a process whose work a signal cut off: 128 + 2. */
const cutOff = 130

export const make = (): { current: number } => ({ current: cutOff })

export const StopStatus: Context.Reference<{ current: number }> = Context.Reference("@icecore/daemon/StopStatus", {
  defaultValue: make
})
